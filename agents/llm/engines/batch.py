"""A batch of sequences that grow together in one Hugging Face model; rows join and leave.

Every row has its own length. Keys and values of all rows lie in one cache, and a mask marks
which of its columns a row uses; positions are counted by row, so it does not matter in which column
a token lies. A row joins by reading all of its prompt but the last token, the first input of
`step`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache

from agents.llm.engines import Request
from agents.llm.engines.decode import new_cache, use_grouped_attention

_PREFILL_TOKENS = 4096
"""Most tokens of one forward pass over prompts, padding included; bounds padding and memory."""


@dataclass(slots=True, eq=False)
class Prefix:
    """Keys and values of a conversation so far, to be continued without reading it again."""

    ids: tuple[int, ...]
    """T tokens."""
    layers: list[tuple[Tensor, Tensor]]
    """For each layer: keys and values, each (heads, T, head size)."""

    @property
    def size_bytes(self) -> int:
        """Memory that it holds."""
        return sum(k.nbytes + v.nbytes for k, v in self.layers)


@dataclass(slots=True, eq=False)
class Running:
    """One sequence."""

    request: Request
    prefix: Prefix | None = None
    """Let go of once the row has joined."""
    ids: list[int] = field(default_factory=list)
    """Sampled."""
    logprobs: list[float] = field(default_factory=list)
    num_cached: int = 0
    """Prompt tokens that came from `prefix`."""
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.Generator(np.random.PCG64(self.request.seed))

    def finished(self, stop_ids: frozenset[int]) -> bool:
        """Whether a stop token or the limit was reached."""
        if not self.ids:
            return False
        return self.ids[-1] in stop_ids or len(self.ids) >= self.request.max_tokens

    @property
    def num_read(self) -> int:
        """Tokens in the cache: all but the last one."""
        return len(self.request.prompt_ids) + len(self.ids) - 1


class Batch:
    """Rows that are sampled together.

    Args:
        model: a causal language model of Hugging Face, with full attention in every layer.
        stop_ids: ids that end a sequence.
    """

    def __init__(self, model: Any, stop_ids: frozenset[int]) -> None:
        self.rows: list[Running] = []
        self._model = model
        self._stop_ids = stop_ids
        self._device = model.device
        use_grouped_attention(model)
        self._cache = new_cache()
        self._mask = torch.zeros(0, 0, dtype=torch.bool, device=self._device)
        """(B, columns): which columns of the cache hold a token of this row."""

    def join(self, rows: Sequence[Running]) -> None:
        """Reads the prompts of new rows, those of like length together, and adds the rows."""
        for group in _groups(sorted(rows, key=_num_new)):
            cache, mask = self._read(group)
            self._add(cache, mask)
            self.rows.extend(group)

    def step(self) -> None:
        """Samples one token for every row that is not finished."""
        last = [row.ids[-1] if row.ids else row.request.prompt_ids[-1] for row in self.rows]
        used = torch.ones(len(self.rows), 1, dtype=torch.bool, device=self._device)
        self._mask = torch.cat([self._mask, used], dim=1)
        logits = self._model(
            input_ids=torch.tensor(last, device=self._device)[:, None],
            attention_mask=self._mask.long(),
            position_ids=self._mask.sum(1, keepdim=True) - 1,
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
        ids, logprobs = sample(logits, [row.request for row in self.rows], self._draw())
        for row, token, logprob in zip(self.rows, ids, logprobs, strict=True):
            if not row.finished(self._stop_ids):
                row.ids.append(token)
                row.logprobs.append(logprob)

    @property
    def num_unfinished(self) -> int:
        """Rows that still grow."""
        return sum(not row.finished(self._stop_ids) for row in self.rows)

    def leave(self, also: Sequence[Running] = ()) -> list[tuple[Running, Prefix]]:
        """Removes the finished rows, and `also`; returns them with what the cache held of them."""
        dropped = {id(row) for row in also}
        gone = [
            index
            for index, row in enumerate(self.rows)
            if row.finished(self._stop_ids) or id(row) in dropped
        ]
        if not gone:
            return []
        left = [(self.rows[index], self._prefix(index)) for index in gone]
        kept = sorted(set(range(len(self.rows))) - set(gone))
        self.rows = [self.rows[index] for index in kept]
        self._pack(torch.tensor(kept, dtype=torch.long, device=self._device))
        return left

    def _draw(self) -> list[float]:
        return [
            0.0 if row.request.temperature == 0 else float(row.random.random()) for row in self.rows
        ]

    def _read(self, rows: Sequence[Running]) -> tuple[Cache, Tensor]:
        """Returns cache and mask of rows after all of their prompts but the last tokens.

        Columns are `[padding | prefix | new tokens | padding]`: new tokens stand to the left, so
        that no token is without a column that it may look at.
        """
        cache = new_cache()
        past = [0 if row.prefix is None else len(row.prefix.ids) for row in rows]
        new = [row.request.prompt_ids[n:-1] for row, n in zip(rows, past, strict=True)]
        width = max(len(ids) for ids in new)
        mask = torch.zeros(len(rows), max(past) + width, dtype=torch.bool, device=self._device)
        inputs = torch.zeros(len(rows), width, dtype=torch.long, device=self._device)
        for index, (num_past, ids) in enumerate(zip(past, new, strict=True)):
            mask[index, max(past) - num_past : max(past) + len(ids)] = True
            inputs[index, : len(ids)] = torch.tensor(ids, dtype=torch.long, device=self._device)
        if max(past):
            _fill(cache, [row.prefix for row in rows], max(past))
        if width:
            positions = torch.tensor(past, device=self._device)[:, None]
            self._model(
                input_ids=inputs,
                attention_mask=mask.long(),
                position_ids=positions + torch.arange(width, device=self._device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        for row, num_past in zip(rows, past, strict=True):
            row.num_cached, row.prefix = num_past, None
        return cache, mask

    def _add(self, cache: Cache, mask: Tensor) -> None:
        """Puts other rows below those that are there, and packs all of them."""
        if self.rows:
            columns = max(mask.shape[1], self._mask.shape[1])
            merged = new_cache()
            layers = zip(self._cache.layers, cache.layers, strict=True)
            for index, (ours, theirs) in enumerate(layers):
                pairs = ((ours.keys, theirs.keys), (ours.values, theirs.values))
                keys, values = (torch.cat([_pad(t, columns) for t in pair]) for pair in pairs)
                merged.update(keys, values, index)
            self._cache = merged
            self._mask = torch.cat([_pad_mask(m, columns) for m in (self._mask, mask)])
        else:
            self._cache, self._mask = cache, mask
        self._pack(torch.arange(self._mask.shape[0], device=self._device))

    def _pack(self, kept: Tensor) -> None:
        """Keeps some rows (B,), and moves the used columns of each to the right end."""
        mask = self._mask[kept]
        if not len(kept):
            self._cache, self._mask = new_cache(), mask[:, :0]
            return
        columns = int(mask.sum(1).max())
        order = mask.long().argsort(dim=1, stable=True)[:, -columns:] if columns else mask.long()
        packed = new_cache()
        for index, layer in enumerate(self._cache.layers):
            keys, values = (_columns(t, kept, order) for t in (layer.keys, layer.values))
            packed.update(keys, values, index)
        self._cache, self._mask = packed, mask.gather(1, order)

    def _prefix(self, index: int) -> Prefix:
        row = self.rows[index]
        ids = (*row.request.prompt_ids, *row.ids)[: row.num_read]
        columns = self._mask[index].nonzero()[: len(ids), 0]  # a finished row may have grown on
        layers = [
            (layer.keys[index][:, columns], layer.values[index][:, columns])
            for layer in self._cache.layers
        ]
        return Prefix(ids, layers)


def sample(
    logits: Tensor, requests: Sequence[Request], uniform: Sequence[float]
) -> tuple[list[int], list[float]]:
    """Returns a token for each row and its log-probability under the model itself.

    A row's token depends on its own logits and its own draw alone, so it is the same in every
    batch, up to rounding in the logits.

    Args:
        logits: (B, vocabulary).
        requests: B; their temperature and top-p are used.
        uniform: B draws from [0, 1).
    """
    logits = logits.float()
    greedy = logits.argmax(-1)
    temperature = torch.tensor([r.temperature for r in requests], device=logits.device)
    probs = torch.softmax(logits / temperature.clamp(min=1e-6)[:, None], -1)
    if any(request.top_p < 1 for request in requests):
        top_p = torch.tensor([r.top_p for r in requests], device=logits.device)
        ordered, where = probs.sort(-1, descending=True)
        # A token stays while those before it have less than top_p together; the first always does.
        ordered = ordered * ((ordered.cumsum(-1) - ordered) < top_p[:, None])
        probs = torch.zeros_like(probs).scatter(-1, where, ordered)
    cdf = probs.double().cumsum(-1)
    draws = torch.tensor(uniform, dtype=torch.float64, device=logits.device)[:, None]
    drawn = torch.searchsorted(cdf, draws * cdf[:, -1:], right=True)[:, 0]
    ids = torch.where(temperature > 0, drawn.clamp(max=logits.shape[-1] - 1), greedy)
    logprobs = torch.log_softmax(logits, -1).gather(-1, ids[:, None])[:, 0]
    return ids.tolist(), logprobs.tolist()


def _num_new(row: Running) -> int:
    return len(row.request.prompt_ids) - (len(row.prefix.ids) if row.prefix else 0)


def _groups(rows: Sequence[Running]) -> list[list[Running]]:
    """Returns the rows in groups whose padded prompts are not too many tokens."""
    groups: list[list[Running]] = []
    for row in rows:
        if not groups or _num_new(row) * (len(groups[-1]) + 1) > _PREFILL_TOKENS:
            groups.append([])
        groups[-1].append(row)
    return groups


def _fill(cache: Cache, prefixes: Sequence[Prefix | None], columns: int) -> None:
    """Puts prefixes into an empty cache, one a row, padded on the left."""
    model = next(prefix for prefix in prefixes if prefix is not None)
    for index, like in enumerate(model.layers):
        empty = (like[0][:, :0], like[1][:, :0])
        pairs = [empty if prefix is None else prefix.layers[index] for prefix in prefixes]
        keys, values = (
            torch.stack([_pad(pair[side], columns) for pair in pairs]) for side in (0, 1)
        )
        cache.update(keys, values, index)


def _columns(states: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Returns some columns of some rows, each of the same number.

    Copies whole vectors; `gather` looks up every element, three times as slow on a CPU.

    Args:
        states: keys or values, (rows, heads, columns, size).
        rows: (B,) which rows.
        columns: (B, C) which columns of each of them.
    """
    _, heads, width, size = states.shape
    head = rows[:, None] * heads + torch.arange(heads, device=rows.device)
    where = head[:, :, None] * width + columns[:, None, :]
    taken = states.reshape(-1, size).index_select(0, where.flatten())
    return taken.view(*where.shape, size)


def _pad(states: Tensor, columns: int) -> Tensor:
    """Returns keys or values (..., columns, size) with empty columns added on the left."""
    return torch.nn.functional.pad(states, (0, 0, columns - states.shape[-2], 0))


def _pad_mask(mask: Tensor, columns: int) -> Tensor:
    return torch.nn.functional.pad(mask, (columns - mask.shape[1], 0))
