"""The tokens of episodes, beside their file: `episodes.jsonl` has `episodes.tokens.jsonl`.

Token ids and log-probabilities are most of an episode's bytes and only a trainer reads them. They
are kept as binary arrays (base64 in JSON), one line for each episode, found by the episode's key.
The file only grows: when a key is there twice, the last line is the one that counts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import RawIOBase
from pathlib import Path

import msgspec
import numpy as np

from wideseek_env.errors import DataError
from wideseek_env.records import Decision, Episode, TokenSpan


@dataclass(frozen=True, slots=True)
class EpisodeTokens:
    """All token spans of an episode, by trajectory and turn."""

    key: str
    """`metadata["key"]` of the episode."""
    lengths: tuple[tuple[int, int, int] | None, ...]
    """For each turn: number of new prompt ids, of sampled ids, of log-probabilities."""
    ids: bytes
    """Prompt and sampled ids of all turns, int32, little-endian."""
    logprobs: bytes
    """Float64, little-endian: whatever an engine gave is kept to the last bit."""


def tokens_path(path: Path) -> Path:
    """Returns where the tokens of a file of episodes lie."""
    return path.with_suffix(f".tokens{path.suffix}")


def open_tokens(path: Path) -> RawIOBase:
    """Returns the tokens file of a file of episodes, to append to; a cut-off last line is removed.

    Raises:
        OSError: the file cannot be made or written.
    """
    file = tokens_path(path).open("a+b", buffering=0)
    file.seek(0)
    file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
    file.seek(0, os.SEEK_END)
    return file


def split_tokens(episode: Episode) -> tuple[Episode, bytes | None]:
    """Returns the episode without its tokens, and their line of JSON, or None if it has none.

    Raises:
        ValueError: tokens or log-probabilities are none; see `check_span`.
    """
    spans = [turn.decision.tokens for t in episode.trajectories for turn in t.turns]
    if not any(spans):
        return episode, None
    some = [span for span in spans if span is not None]
    for span in some:
        check_span(span)
    ids = [i for span in some for i in (*span.prompt_ids, *span.ids)]
    record = EpisodeTokens(
        key=str(episode.metadata.get("key", "")),
        lengths=tuple(
            None if span is None else (len(span.prompt_ids), len(span.ids), len(span.logprobs))
            for span in spans
        ),
        ids=np.asarray(ids, dtype="<i4").tobytes(),
        logprobs=np.asarray([p for span in some for p in span.logprobs], dtype="<f8").tobytes(),
    )
    bare = _with_spans(episode, iter([None] * len(spans)))
    return bare, msgspec.json.encode(record)


def check_span(span: TokenSpan | None) -> None:
    """Looks whether a span holds tokens and log-probabilities as they can be.

    Raises:
        ValueError: an id is no int32 from 0, a log-probability no finite number up to 0, or there
            are some and not one for each sampled id.
    """
    if span is not None:
        check_tokens(span.prompt_ids)
        check_tokens(span.ids, span.logprobs)


def check_tokens(ids: Sequence[int], logprobs: Sequence[float] = ()) -> None:
    """Looks whether these can be token ids and their log-probabilities; see `check_span`."""
    for at, number in enumerate(ids):
        if type(number) is not int or not 0 <= number < 2**31:
            raise ValueError(f"expected token ids from 0 to 2**31 - 1, got {number!r:.40} at {at}")
    for at, logprob in enumerate(logprobs):
        if type(logprob) not in (float, int) or not -math.inf < logprob <= 0:
            raise ValueError(
                f"expected finite log-probabilities of at most 0, got {logprob!r:.40} at {at}"
            )
    if logprobs and len(logprobs) != len(ids):
        raise ValueError(
            f"expected a log-probability for each of {len(ids)} ids, got {len(logprobs)}"
        )


def join_tokens(episode: Episode, line: bytes) -> Episode:
    """Returns the episode with the tokens that `split_tokens` took off it.

    Raises:
        DataError: the line is not of this episode.
    """
    try:
        record = msgspec.json.decode(line, type=EpisodeTokens)
    except msgspec.DecodeError as error:
        raise DataError(f"expected the tokens of an episode, got {line[:80]!r}: {error}") from error
    if len(record.lengths) != episode.num_turns:
        raise DataError(
            f"expected tokens of {episode.num_turns} turns for {record.key!r}, got "
            f"{len(record.lengths)}; the two files are not of one run"
        )
    return _with_spans(episode, _spans(record))


def read_tokens(path: Path) -> dict[str, bytes]:
    """Returns the line of each episode's key; a last line that was cut off is left out.

    Raises:
        DataError: a line has no key.
        OSError: the file cannot be read.
    """
    lines: dict[str, bytes] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                lines[msgspec.json.decode(line, type=_Key).key] = line
            except msgspec.DecodeError as error:
                raise DataError(f"{path}, line {number}: {error}") from error
    return lines


class _Key(msgspec.Struct):
    key: str


def _spans(record: EpisodeTokens) -> Iterator[TokenSpan | None]:
    ids: list[int] = np.frombuffer(record.ids, dtype="<i4").tolist()
    logprobs: list[float] = np.frombuffer(record.logprobs, dtype="<f8").tolist()
    at, at_logprob = 0, 0
    for lengths in record.lengths:
        if lengths is None:
            yield None
            continue
        num_prompt, num_new, num_logprobs = lengths
        sampled = at + num_prompt
        yield TokenSpan(
            prompt_ids=tuple(ids[at:sampled]),
            ids=tuple(ids[sampled : sampled + num_new]),
            logprobs=tuple(logprobs[at_logprob : at_logprob + num_logprobs]),
        )
        at, at_logprob = sampled + num_new, at_logprob + num_logprobs


def _with_spans(episode: Episode, spans: Iterator[TokenSpan | None]) -> Episode:
    def with_span(decision: Decision) -> Decision:
        return replace(decision, tokens=next(spans))

    trajectories = tuple(
        replace(
            trajectory,
            turns=tuple(
                replace(turn, decision=with_span(turn.decision)) for turn in trajectory.turns
            ),
        )
        for trajectory in episode.trajectories
    )
    return replace(episode, trajectories=trajectories)
