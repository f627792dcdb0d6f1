"""Sentences that fill a page and answer nothing."""

from __future__ import annotations

from random import Random

SENTENCES = tuple(
    """\
Visitors are advised to check the weather before they set out for {name}.
A small exhibition near {name} shows photographs taken by local families.
The regional archive keeps letters and drawings that mention {name}.
Several schools organise an outing to {name} every spring.
A documentary series devoted one episode to {name} and its surroundings.
Local newspapers have reported on {name} many times over the years.
The area around {name} is quiet for most of the week.
A walking route with signs in two languages passes {name}.
The council published a brochure about {name} for new residents.
Painters of the last century liked the morning light at {name}.
A well-known song from the coast refers to {name} in its second verse.
The association of friends of {name} meets on the first Sunday of the month.
Opinions about {name} were divided at first, and became kinder later.
A stamp with a picture of {name} was printed in a small edition.
The name {name} is probably older than the first written records.
Researchers have studied old maps to understand how {name} came to its name.
In winter {name} can be reached by the regional bus only.
A restoration fund was set up with the help of private donors.
The surroundings were replanted with lime trees and hazel.
Some of the older documents were lost in a fire and had to be copied again.
A bench and a sundial were donated by a retired teacher.
The story is told differently in the neighbouring villages.
Guided tours are offered in the summer months, in small groups only.
The local café serves a plum cake that regulars recommend.
Bird watchers come in autumn, when the storks gather.
The annual fair draws traders from the whole province.
Plans for a new car park were dropped after a long debate.
An amateur radio club used the place for its summer contest.
The choir sings here on the evening before the harvest feast.
A series of essays by a travelling journalist made the place better known.
The oldest postcards show a fence that is no longer there.
Maintenance work is usually done in the early morning hours.
Students have written several theses about the place.
A brass plate explains the history in a few lines.
The light was changed to lamps that use less power.
A short film about the place was shown at the harvest feast.
Older residents remember when the market was held here.
The footpath was widened so that two prams can pass.
A weather station nearby sends its readings every hour.
The bakery opposite has been run by the same family for generations.""".splitlines()
)
"""All there are; {name} is what the page is about."""


def filler_sentences(name: str, num: int, rng: Random) -> list[str]:
    """Returns `num` different sentences about nothing that a question asks."""
    return [text.replace("{name}", name) for text in rng.sample(SENTENCES, num)]
