"""From `Episode` records to rows of tokens, and from rows to padded micro-batches of tensors.

A row is one trajectory, made of the `TokenSpan`s of its turns as they were sampled; text is never
encoded again. One that was folded has a row for each segment, as each is a conversation of its own;
they count as one agent (`sequence_weights`). Numbers of each sampled token (log-probabilities,
advantages, weights) live in flat arrays (T,) over all rows in order, so that a loss never sees
padding. Used by all trainers.

Shape letters: B rows, T sampled tokens of all rows, L tokens of one row, shown and sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainers.advantages import Floats, Ints, cell_shares
from trainers.packing import Pack, packs_of
from wideseek_env.plugins import late
from wideseek_env.records import Episode, Role, Trajectory, Turn

if TYPE_CHECKING:
    from torch import Tensor

torch = late("torch", "train")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One trajectory, or one segment of it, as one sequence of tokens."""

    ids: Ints
    """(L,) all tokens in order."""
    turn: Ints
    """(L,) the turn in which a token was sampled; -1 for tokens that the agent was shown."""
    logprobs: Floats
    """(L,) the sampler's; NaN where the token was not sampled, or the engine gave none."""
    trains: NDArray[np.bool_]
    """(L,) whether the token was sampled in a turn that trains."""
    episode: int
    """Position of its episode in the list that `rows_of` was given."""
    trajectory: int
    """Position in the episode."""
    role: Role

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """(L,) whether the token was sampled."""
        return self.turn >= 0


def rows_of(
    episodes: Sequence[Episode], roles: Sequence[Role] = ("lead", "subagent")
) -> list[TokenRow]:
    """Returns a row for each segment that has sampled tokens, by episode, trajectory and turn.

    Args:
        episodes: as a policy with an engine played them.
        roles: who trains; rows of the others are there, but none of their tokens trains.

    Raises:
        ValueError: no episode has any tokens, or a span has another number of
            log-probabilities than of ids.
    """
    rows: list[TokenRow] = []
    for index, episode in enumerate(episodes):
        trains = turns_that_train(episode)
        rows += [
            _row(
                episode,
                index,
                number,
                segment,
                trains[number] if t.role in roles else [False] * len(t.turns),
            )
            for number, t in enumerate(episode.trajectories)
            for segment in t.segments
            if any(t.turns[at].decision.tokens is not None for at in segment)
        ]
    if episodes and not rows:
        raise ValueError(
            f"expected tokens in the decisions of {episodes[0].policy!r}, got none in "
            f"{len(episodes)} episodes; play them with an engine, or use trainers/sft.py"
        )
    return rows


def turns_that_train(episode: Episode) -> list[list[bool]]:
    """Returns for each trajectory and turn whether it trains.

    In an episode with an answer all turns do, save those of subagents that ran out of budget: they
    share a reward that they did nothing for. In one without, only the turns that failed do, since
    nothing is known against the others.

    Source: WideSeek-R1 (arXiv 2602.04634), masks.
    """
    answered = episode.answer is not None
    return [
        [
            not (t.role == "subagent" and _out_of_budget(t))
            if answered
            else went_wrong(turn) or (turn is t.turns[-1] and _out_of_budget(t))
            for turn in t.turns
        ]
        for t in episode.trajectories
    ]


def _out_of_budget(trajectory: Trajectory) -> bool:
    return trajectory.end in ("turn_budget", "context_budget")


def went_wrong(turn: Turn) -> bool:
    """Tells whether a turn went wrong: no calls could be read, or one of them was refused."""
    return turn.decision.error is not None or any(r.status == "wrong" for r in turn.results)


def rows_that_train(rows: Sequence[TokenRow]) -> list[TokenRow]:
    """Leaves out the trajectories of which no token trains; of the others no segment is lost."""
    trained = {(row.episode, row.trajectory) for row in rows if row.trains.any()}
    return [row for row in rows if (row.episode, row.trajectory) in trained]


def agents_of(rows: Sequence[TokenRow]) -> Ints:
    """Returns which agent wrote each row, (B,): segments of one trajectory have one number."""
    numbers: dict[tuple[int, int], int] = {}
    for row in rows:
        numbers.setdefault((row.episode, row.trajectory), len(numbers))
    return np.array([numbers[row.episode, row.trajectory] for row in rows], dtype=np.int64)


def shares_of(episode: Episode) -> Floats:
    """Returns the part of the gold table that each trajectory of an episode supplied, (N,)."""
    readers = [credit.trajectories for credit in episode.provenance]
    num_cells = len(episode.task.gold) * len(episode.task.columns)
    return cell_shares(readers, len(episode.trajectories), num_cells)


def _row(episode: Episode, index: int, number: int, segment: range, trains: list[bool]) -> TokenRow:
    trajectory = episode.trajectories[number]
    ids: list[int] = []
    turns: list[int] = []
    logprobs: list[float] = []
    for position in segment:
        span = trajectory.turns[position].decision.tokens
        if span is None:
            continue
        if len(span.logprobs) not in (0, len(span.ids)):
            raise ValueError(
                f"task {episode.task.id!r}, {trajectory.agent}, turn {position}: expected "
                f"{len(span.ids)} log-probabilities, one for each id, got {len(span.logprobs)}"
            )
        ids += [*span.prompt_ids, *span.ids]
        turns += [-1] * len(span.prompt_ids) + [position] * len(span.ids)
        logprobs += [np.nan] * len(span.prompt_ids)
        logprobs += span.logprobs or [np.nan] * len(span.ids)
    turn_of = np.array(turns, dtype=np.int64)
    if turn_of[0] >= 0:
        raise ValueError(
            f"task {episode.task.id!r}, {trajectory.agent}: expected prompt tokens before the "
            "first sampled one, got none; an engine must record what it was shown"
        )
    return TokenRow(
        ids=np.array(ids, dtype=np.int64),
        turn=turn_of,
        logprobs=np.array(logprobs, dtype=np.float64),
        trains=np.array([*trains, False])[turn_of],  # -1, shown, is the False at the end
        episode=index,
        trajectory=number,
        role=trajectory.role,
    )


def flat(
    arrays: Sequence[NDArray[Any]], rows: Sequence[TokenRow], device: torch.device | str
) -> Tensor:
    """Returns one array of (L,) for each row as one (T,) float tensor, sampled tokens alone."""
    parts = [array[row.sampled] for array, row in zip(arrays, rows, strict=True)]
    return torch.from_numpy(np.concatenate(parts)).to(device, torch.float32)


def spread(values: Floats, rows: Sequence[TokenRow], device: torch.device | str) -> Tensor:
    """Returns one number of each row, (B,), given to each of its sampled tokens, (T,)."""
    counts = [int(row.sampled.sum()) for row in rows]
    return torch.from_numpy(np.repeat(values, counts)).to(device, torch.float32)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some packs of rows as tensors, padded on the right, where causal attention never looks."""

    ids: Tensor
    """(P, N) int64, N tokens of each of P packs; without sharing a pack is a row."""
    before: Tensor
    """(M,) position in the flattened (P * N) before each of M sampled tokens: what predicts it."""
    targets: Tensor
    """(M,) ids of those tokens."""
    tokens: Tensor
    """(M,) where those tokens are in the flat arrays (T,) of the whole batch."""
    ends: Tensor
    """(B,) position in the flattened (P * N) of the last token of each row."""
    rows: tuple[int, ...]
    """B positions of the rows in the whole batch."""
    shared: Shared | None
    """What the model is told of packs of several rows; None: there are none."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a model must know of packs in which rows share tokens."""

    positions: Tensor
    """(P, N) position of each token in its rows."""
    mask: Tensor
    """(P, 1, N, N) bool, which tokens each token looks at."""
    first: Tensor
    """(U,) which of the M sampled tokens are the first of their kind: same place, same id."""
    kind: Tensor
    """(M,) which of these kinds each of them is."""


def micro_batches(
    rows: Sequence[TokenRow],
    chosen: Sequence[int],
    budget_tokens: int,
    device: torch.device | str,
    level_tokens: float | None = None,
) -> list[MicroBatch]:
    """Returns the chosen rows in micro-batches of at most `budget_tokens`, padding included.

    Packs of like length go together, so that little is padding; a row that is longer than the
    budget is a micro-batch by itself. The flat arrays are those of all `rows`.

    Args:
        rows: all rows.
        chosen: positions of those in the micro-batches.
        budget_tokens: of a micro-batch.
        device: where they are to be.
        level_tokens: lets rows share the tokens with which they begin, see `packing.packs_of`;
            None for a model that cannot.
    """
    starts = np.cumsum([0, *(int(row.sampled.sum()) for row in rows)])
    packs = packs_of([row.ids for row in rows], chosen, budget_tokens, level_tokens)
    batches: list[list[Pack]] = []
    # Packs of one row stand apart: without a mask of their own, attention costs them half.
    for pack in sorted(packs, key=lambda p: (len(p.rows) > 1, -len(p.ids), p.rows)):
        last = batches[-1] if batches else []
        if (
            last
            and (len(last[0].rows) > 1) == (len(pack.rows) > 1)
            and (len(last[0].ids) * (len(last) + 1) <= budget_tokens)
        ):
            last.append(pack)
        else:
            batches.append([pack])
    return [_pad(rows, batch, starts, device) for batch in batches]


def _pad(
    rows: Sequence[TokenRow], packs: list[Pack], starts: Ints, device: torch.device | str
) -> MicroBatch:
    length = max(len(pack.ids) for pack in packs)
    ids = np.zeros((len(packs), length), dtype=np.int64)
    before, targets, tokens, ends = [], [], [], []
    for number, pack in enumerate(packs):
        ids[number, : len(pack.ids)] = pack.ids
        for index, places in zip(pack.rows, pack.places, strict=True):
            row = rows[index]
            at = np.flatnonzero(row.sampled)
            before.append(places[at - 1] + number * length)
            targets.append(row.ids[at])
            tokens.append(np.arange(starts[index], starts[index + 1]))
            ends.append(int(places[-1]) + number * length)
    where, what = np.concatenate(before), np.concatenate(targets)
    shared = len(packs[0].rows) > 1
    return MicroBatch(
        ids=torch.from_numpy(ids).to(device),
        before=torch.from_numpy(where).to(device),
        targets=torch.from_numpy(what).to(device),
        tokens=torch.from_numpy(np.concatenate(tokens)).to(device),
        ends=torch.tensor(ends, device=device),
        rows=tuple(index for pack in packs for index in pack.rows),
        shared=_shared(packs, length, where, what, device) if shared else None,
    )


def _shared(
    packs: list[Pack], length: int, where: Ints, what: Ints, device: torch.device | str
) -> Shared:
    positions = np.zeros((len(packs), length), dtype=np.int64)
    for number, pack in enumerate(packs):
        positions[number, : len(pack.ids)] = pack.depths
    masks = np.stack([pack.mask(length) for pack in packs])
    pairs = np.stack([where, what])
    _, first, kind = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
    return Shared(
        positions=torch.from_numpy(positions).to(device),
        mask=torch.from_numpy(masks).to(device)[:, None],
        first=torch.from_numpy(first).to(device),
        kind=torch.from_numpy(kind.reshape(-1)).to(device),
    )
