"""`wideseek synthesize`: makes broad tasks with gold tables out of pages, by rules.

With `--model`, a model behind a server puts them into words and checks them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from tyro.conf import OmitArgPrefixes, Positional

from wideseek_env.cli.options import (
    AtLeastZero,
    Count,
    Natural,
    OutFolder,
    Positive,
    Seed,
    Share,
    check_values,
    flag,
)
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted
from wideseek_env.tasks.synthesis.card import CARD, Worded
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.stages import Synthesis

if TYPE_CHECKING:
    from wideseek_env.tasks.synthesis.model.run import ModelPlan

_HalfAtMost = Annotated[float, Meta(ge=0, le=0.5)]


@dataclass(frozen=True, kw_only=True)
class WordingOptions:
    """The model that puts tasks into words."""

    model: str | None = None
    """Model that words and checks the questions; none: questions by rules, and nothing to pay."""
    base_url: str = "http://127.0.0.1:8000/v1"
    """OpenAI-compatible server, up to and including /v1; its key is read from $OPENAI_API_KEY."""
    attempts: Count = 2
    """Wordings of a task that are tried until one is read back as the same table."""
    keep_rules_wording: bool = False
    """A task whose wording fails stays, with the question made by rules."""
    paraphrase: bool = True
    """The wording is said once more in another style, and read back likewise."""
    max_from_memory: Share = 0.3
    """Most item F1 that the model may have without any page; 1 leaves this out."""
    num_answers: Natural = 2
    """Answers of the model from the pages, which must agree with the gold; 0 leaves this out."""
    min_agreement: Share = 0.8
    """Mean item F1 that these answers must have."""
    max_page_chars: Count = 60_000
    """Of the pages that it answers from; tasks that need more are left out."""
    prices: tuple[AtLeastZero, AtLeastZero] = (0.0, 0.0)
    """Of a million prompt tokens and a million reply tokens."""
    max_cost: AtLeastZero | None = None
    """Most that may be spent on this folder, in the currency of --prices."""
    max_total_tokens: Count | None = None
    """Most tokens, of prompts and replies, that this folder may take."""
    max_reply_tokens: Count = 4096
    """Of one reply, a model's thinking counted."""
    concurrency: Count = 16
    """Tasks that are worked on at once."""
    timeout_s: Positive = 300.0
    """Of one try of a request."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.max_cost is not None and not any(self.prices):
            raise ValueError("--max-cost: expected --prices as well, without which nothing costs")
        if self.model is None:
            for field in fields(self):
                if getattr(self, field.name) != field.default:
                    raise ValueError(f"{flag(field.name)}: expected --model as well")

    def plan(self) -> ModelPlan | None:
        """Returns who is asked for what; None: nobody."""
        from wideseek_env.tasks.synthesis.model.asking import Server  # noqa: PLC0415 - aiohttp
        from wideseek_env.tasks.synthesis.model.purse import Prices  # noqa: PLC0415
        from wideseek_env.tasks.synthesis.model.run import ModelPlan  # noqa: PLC0415
        from wideseek_env.tasks.synthesis.model.stages import ModelRules  # noqa: PLC0415

        if self.model is None:
            return None
        server = Server(
            self.base_url,
            self.model,
            self.concurrency,
            self.timeout_s,
            max_reply_tokens=self.max_reply_tokens,
        )
        rules = ModelRules(
            self.attempts,
            self.keep_rules_wording,
            self.paraphrase,
            self.max_from_memory,
            self.num_answers,
            self.min_agreement,
            self.max_page_chars,
        )
        most_cost = math.inf if self.max_cost is None else self.max_cost
        most_tokens = math.inf if self.max_total_tokens is None else self.max_total_tokens
        return ModelPlan(server, rules, Prices(*self.prices), most_cost, most_tokens)


@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """Makes broad tasks with exact gold tables out of pages with tables, or of a world's pages.

    By rules, unless --model is given: then a model puts the tasks into words, and those whose words
    are read back as another table are left out. The same corpus and options give the same tasks; a
    run that was stopped goes on where it was, and no reply is paid for twice.
    """

    corpus: Positional[Path]
    """Folder or file of pages: HTML files, or JSON lines as `wideseek world --out` writes them."""
    out: OutFolder
    """Folder for the tasks, the file of each stage, and the data card."""
    num_tasks: Count = 1000
    """At most so many tasks, held-out ones among them."""
    languages: tuple[Literal["en", "zh"], ...] = ("en",)
    """Of the questions, in turn."""
    min_rows: Count = 3
    """Fewest rows of a gold table."""
    max_rows: Count = 60
    """Most rows of a gold table."""
    broad: bool = False
    """Only tasks that no single page answers."""
    test_share: _HalfAtMost = 0.1
    """Share of the groups of pages that are held out for a test."""
    seed: Seed = 0
    """Of all draws."""
    dry_run: bool = False
    """Prints what would be done, and its price, and ends."""
    wording: OmitArgPrefixes[WordingOptions] = field(default_factory=WordingOptions)
    """The model that puts tasks into words."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.min_rows > self.max_rows:
            raise ValueError(
                f"--min-rows: expected at most --max-rows, got {self.min_rows} and {self.max_rows}"
            )
        if not self.languages:
            raise ValueError("--languages: expected at least one of en and zh, got none")


def run(options: SynthesizeOptions) -> int:
    """Makes the tasks; returns the exit status."""
    rules = DraftRules(
        options.seed,
        options.languages,
        options.min_rows,
        options.max_rows,
        options.broad,
        options.test_share,
    )
    try:
        with progress("pages", None) as advance:
            synthesis = Synthesis(
                options.corpus,
                options.out,
                options.num_tasks,
                rules,
                lambda **told: advance(**{"count": 0, **told}),
            )
            plan = options.wording.plan()
            if options.dry_run:
                print(_plan_text(options, synthesis, plan))
                return 0
            made = synthesis.run(plan)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"the finished stages, and all replies of a model, are kept in {options.out}; the same "
            "command goes on"
        ) from error
    print(f"wrote {made.kept:,} tasks to {options.out}; {options.out / CARD} tells about them")
    if made.worded is not None:
        return _told(made.worded, options.out)
    if made.kept < options.num_tasks:
        print(f"these pages give no more: {options.num_tasks:,} were asked for")
    return 0


def _plan_text(options: SynthesizeOptions, synthesis: Synthesis, plan: ModelPlan | None) -> str:
    done = ", ".join(synthesis.state.stages) or "none"
    said = (
        f"{options.corpus}: relations, then at most {options.num_tasks:,} drafts, each checked "
        f"against its pages, to {options.out}. Stages done: {done}."
    )
    return (
        f"{said} No model is asked: price 0." if plan is None else f"{said}\n{synthesis.plan(plan)}"
    )


def _told(worded: Worded, out: Path) -> int:
    """Says what is not in the tasks yet, and how to go on; returns the exit status."""
    if worded.num_unanswered:
        print(
            f"{worded.num_unanswered:,} tasks got no usable reply ({out / 'left_out.jsonl'} says "
            "why); the same command asks for them again"
        )
    if worded.num_unasked:
        print(
            f"the cap was reached with {worded.num_unasked:,} tasks to go; all replies are kept, "
            "and the same command with a higher cap goes on"
        )
    return 1 if worded.num_unanswered or worded.num_unasked else 0
