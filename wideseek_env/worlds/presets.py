"""How hard a world is: the knobs, and the named settings of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as _with

from wideseek_env.records import Limits
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.filler import SENTENCES

_DEFAULT_SIZES = (40, 44, 48, 50, 50, 52, 54, 56, 60, 66)


@dataclass(frozen=True, slots=True)
class Preset:
    """The knobs of a world and of the tasks asked about it; shares are from 0 to 1."""

    name: str
    """As `World` and the command line know it."""
    limits: Limits
    """Budgets under which its tasks are meant to be played."""
    regions: int = 2
    """Independent countries of a world whose `num_pages` is not given."""
    sizes: tuple[int, ...] = _DEFAULT_SIZES
    """Entities of the domains of a region, dealt to them by chance."""
    list_size: int = 6
    """Entities on one page of a list."""
    list_columns: int = 1
    """Facts beside the name on a list page: 0; 1, the province; 2, the first category too. They
    are never conditions, so that a list alone never answers a question."""
    attributes: int = 9
    """Attributes of each entity: the first ones of its domain, at least 2."""
    compact: bool = False
    """Pages of one short line for each fact, and short questions, for models of a few million
    parameters."""
    short_names: bool = False
    """Names of one word with two plain syllables."""
    prose: float = 0.3
    """Share of the facts of a page that only a sentence tells, not the info box."""
    filler: int = 26
    """Sentences on an entity page that answer nothing."""
    formats: float = 0.3
    """Share of the facts that stand in another unit, date format or label than is asked for."""
    aliases: float = 0.1
    """Share of the entities with a second name, which lists and other pages may use."""
    twins: float = 0.2
    """Share of the entities that are like another one in all but a single fact."""
    archives: float = 0.1
    """Share of the entities with an archived copy, dated and partly out of date."""
    companions: float = 0.05
    """Share of the entities with a second current page, which repeats facts of the first."""
    newer: float = 0.0
    """Share of the second pages that were updated later than the first and correct it."""
    scattered: float = 0.0
    """Share of the facts of an entity with a second page that only this second page tells."""
    unknown: float = 0.0
    """Share of the numbers, dates and texts that nobody knows; their gold cell is empty."""
    conditions: tuple[int, int] = (1, 2)
    """Fewest and most conditions of a wide task."""
    columns: tuple[int, int] = (3, 5)
    """Fewest and most columns of a wide task, the name included."""
    rows: tuple[int, int] = (5, 30)
    """Fewest and most rows of a wide task."""
    top_k: float = 0.15
    """Share of the wide tasks that ask for the k greatest or smallest."""
    hop_conditions: float = 0.0
    """Share of the conditions that are on a related entity."""
    hop_columns: float = 0.0
    """Share of the columns that are facts of a related entity."""
    hops: tuple[int, int] = (2, 2)
    """Fewest and most relations to follow in a deep task."""
    superlatives: float = 0.0
    """Share of the deep tasks that begin at "the longest bridge" and not at a name."""

    def __post_init__(self) -> None:
        if len(self.sizes) != len(DOMAINS) or min(self.sizes) < 3:
            raise ValueError(
                f"`sizes` must hold {len(DOMAINS)} numbers of at least 3, one for each domain, got "
                f"{self.sizes}"
            )
        if not 0 <= self.list_columns <= 2:
            raise ValueError(f"`list_columns` must be 0, 1 or 2, got {self.list_columns}")
        if not 0 <= self.filler <= len(SENTENCES):
            raise ValueError(f"`filler` must be 0 to {len(SENTENCES)}, got {self.filler}")
        for name, least in (("regions", 1), ("list_size", 1), ("attributes", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}, got {getattr(self, name)!r}")
        if self.compact and self.companions:
            raise ValueError(
                f"`companions` must be 0 with `compact`, whose pages state every fact, got "
                f"{self.companions!r}"
            )
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"`{name}` must be from 0 to 1, got {getattr(self, name)!r}")
        for name in ("conditions", "columns", "rows", "hops"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"`{name}` must be (fewest, most), got {getattr(self, name)!r}")


_SHARES = (
    "prose", "formats", "aliases", "twins", "archives", "companions", "newer", "scattered",
    "unknown", "top_k", "hop_conditions", "hop_columns", "superlatives",
)  # fmt: skip

_STARTER = Preset(
    name="starter",
    limits=Limits(
        max_lead_turns=3,
        max_subagent_turns=6,
        max_calls_per_turn=3,
        top_k=2,
        max_snippet_chars=0,
        max_context_chars=1_200,
    ),
    regions=1,
    sizes=(4, 5, 6, 6, 8, 8, 9, 10, 12, 12),
    list_size=3,
    list_columns=0,
    attributes=4,
    compact=True,
    short_names=True,
    prose=0.0,
    filler=0,
    formats=0.0,
    aliases=0.0,
    twins=0.0,
    archives=0.0,
    companions=0.0,
    conditions=(0, 0),
    columns=(2, 3),
    rows=(3, 12),
    top_k=0.0,
)

_DEFAULT = Preset(
    name="default",
    limits=Limits(
        max_lead_turns=4, max_subagent_turns=8, max_snippet_chars=120, max_context_chars=14_000
    ),
)

_EASY = _with(
    _DEFAULT,
    name="easy",
    limits=Limits(
        max_lead_turns=6, max_subagent_turns=10, max_snippet_chars=120, max_context_chars=16_000
    ),
    sizes=(8, 10, 12, 12, 14, 14, 16, 16, 18, 20),
    list_size=8,
    list_columns=2,
    prose=0.0,
    filler=4,
    formats=0.0,
    aliases=0.0,
    twins=0.0,
    archives=0.0,
    companions=0.0,
    conditions=(1, 1),
    columns=(2, 4),
    rows=(3, 12),
    top_k=0.0,
    hops=(1, 2),
)

_CONFLICT = _with(_DEFAULT, name="conflict", archives=0.4, companions=0.5, newer=0.7)

_MISSING = _with(
    _DEFAULT, name="missing", list_columns=0, companions=0.5, scattered=0.5, unknown=0.12
)

_HOPS = _with(
    _DEFAULT,
    name="hops",
    hop_conditions=0.4,
    hop_columns=0.35,
    hops=(2, 4),
    superlatives=0.3,
)

_HARD = _with(
    _DEFAULT,
    name="hard",
    limits=Limits(
        max_lead_turns=5, max_subagent_turns=10, max_snippet_chars=120, max_context_chars=16_000
    ),
    sizes=(36, 40, 48, 52, 56, 60, 64, 72, 80, 80),
    list_columns=0,
    prose=0.5,
    filler=30,
    formats=0.6,
    aliases=0.25,
    twins=0.35,
    archives=0.25,
    companions=0.4,
    newer=0.6,
    scattered=0.35,
    unknown=0.06,
    conditions=(1, 3),
    columns=(4, 8),
    rows=(5, 60),
    top_k=0.2,
    hop_conditions=0.4,
    hop_columns=0.35,
    hops=(2, 4),
    superlatives=0.5,
)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (_STARTER, _EASY, _DEFAULT, _CONFLICT, _MISSING, _HOPS, _HARD)
}
"""Named settings, easiest first."""
