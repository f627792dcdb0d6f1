"""Rows that share their beginnings: the tree is the rows, and nothing that is learnt changes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from toy_learning import tiny_lm  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from trainers.batch import TokenRow, flat, micro_batches  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner, level_tokens  # noqa: E402
from trainers.packing import packs_of  # noqa: E402


def grown(seed: int, num: int = 24) -> list[np.ndarray]:
    """Rows of which each begins as an earlier one does, some of them whole."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, 32, 9)]
    for _ in range(num - 1):
        of = rows[rng.integers(len(rows))]
        rows.append(
            np.concatenate([of[: rng.integers(1, 12)], rng.integers(0, 32, rng.integers(8))])
        )
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_each_row_is_a_path_of_its_pack_and_sees_nothing_else(seed):
    rows = grown(seed)
    chosen = list(range(2, len(rows)))
    packs = packs_of(rows, chosen, 64, level_tokens=100.0)
    assert sorted(i for pack in packs for i in pack.rows) == chosen
    assert len(packs) < len(chosen) / 2
    for pack in packs:
        beginnings = {tuple(rows[i][:n].tolist()) for i in pack.rows for n in range(1, 99)}
        assert len(pack.ids) == len(beginnings) <= 64
        seen = pack.mask(70)
        for index, places in zip(pack.rows, pack.places, strict=True):
            np.testing.assert_array_equal(pack.ids[places], rows[index])
            np.testing.assert_array_equal(pack.depths[places], np.arange(len(places)))
            for at, place in enumerate(places):
                assert set(np.flatnonzero(seen[place])) == set(places[: at + 1])
        assert all(np.flatnonzero(seen[at]).tolist() == [at] for at in range(len(pack.ids), 70))


def test_rows_are_packed_only_where_it_pays_and_fits():
    shown, one, two = np.arange(30), np.arange(30, 40), np.arange(40, 50)
    rows = [np.concatenate([shown, one]), np.concatenate([shown, two]), np.arange(50, 99)]

    def together(budget: int, level: float | None) -> list[tuple[int, ...]]:
        return sorted(pack.rows for pack in packs_of(rows, [0, 1, 2], budget, level))

    assert together(1000, 1000.0) == [(0, 1), (2,)]
    assert together(49, 1000.0) == [(0,), (1,), (2,)]  # 50 tokens do not fit
    assert together(1000, None) == [(0,), (1,), (2,)]
    # 50 + 50^2 / level against 80 + 40^2 / level: more pairs to look at than tokens to save.
    assert together(1000, 29.0) == [(0,), (1,), (2,)]
    assert together(1000, 31.0) == [(0, 1), (2,)]
    assert packs_of(rows, [], 1000, 1000.0) == []


def token_rows(seed: int) -> list[TokenRow]:
    rng = np.random.default_rng(seed)
    rows = []
    for number, ids in enumerate(grown(seed)):
        turn = np.where(rng.random(len(ids)) < 0.6, 0, -1)
        turn[0], turn[-1] = -1, 0 if len(ids) > 1 else -1
        rows.append(
            TokenRow(ids, turn, np.zeros(len(ids)), turn == 0, number, 0, "lead")
        )  # fmt: skip
    return [row for row in rows if row.sampled.any()]


@pytest.mark.parametrize("budget", [20, 64, 10_000])
def test_sharing_changes_neither_values_nor_gradients(budget):
    rows = token_rows(3)
    weight = torch.from_numpy(
        np.random.default_rng(0).normal(size=sum(r.sampled.sum() for r in rows))
    )
    told = []
    for level in (None, 500.0):
        config = RunConfig(out="unused", model="toy", device="cpu", lora_rank=0)
        learner = Learner(tiny_lm(), config)
        batches = micro_batches(rows, range(len(rows)), budget, "cpu", level)
        assert any(batch.shared is not None for batch in batches) == (level is not None)
        both = torch.zeros(2, len(weight))
        ends = {}
        for batch in batches:
            assert batch.ids.numel() <= budget or len(batch.rows) == 1
            states = learner.states(batch)
            logprobs, entropy = learner.score(states, batch)
            both[0, batch.tokens], both[1, batch.tokens] = logprobs.detach(), entropy
            ends.update(zip(batch.rows, states[batch.ends].detach(), strict=True))
            (logprobs * weight[batch.tokens]).sum().backward()
        gradients = [p.grad for p in learner.parameters]
        told.append([both, torch.stack([ends[i] for i in range(len(rows))]), *gradients])
    for alone, shared in zip(*told, strict=True):
        torch.testing.assert_close(alone, shared, atol=2e-5, rtol=1e-4)


def test_a_learner_shares_and_reads_each_beginning_once():
    rows = token_rows(3)
    learner = Learner(tiny_lm(), RunConfig(out="unused", model="toy", device="cpu"))
    (batch, *alone) = sorted(
        learner.micro_batches(rows, range(len(rows))), key=lambda b: b.shared is None
    )
    assert sum(len(b.rows) for b in alone) < len(rows) / 2
    assert batch.shared is not None
    pairs = {(int(b), int(t)) for b, t in zip(batch.before, batch.targets, strict=True)}
    assert len(batch.shared.first) == len(pairs) < len(batch.tokens)
    all_ids = flat([row.ids for row in rows], rows, "cpu").long()
    assert torch.equal(batch.targets, all_ids[batch.tokens])


def test_level_tokens_is_where_attention_costs_as_much_as_all_else():
    lm = tiny_lm()
    level = level_tokens(lm)
    lm.set_attn_implementation("eager")  # of which every product is counted

    def operations(length: int) -> int:
        with FlopCounterMode(display=False) as count, torch.no_grad():
            lm.get_decoder()(torch.zeros(1, length, dtype=torch.long))
        return count.get_total_flops()

    few, many = operations(16), operations(32)  # a n + b n^2
    pairs = (many - 2 * few) / (32**2 - 2 * 16**2)
    tokens = few / 16 - 16 * pairs
    assert level == pytest.approx(tokens / pairs, rel=0.05)
    assert level_tokens(lm) is None  # this attention would add the mask to the scores


@pytest.mark.parametrize(
    "changes", [{"layer_types": ["full_attention", "sliding_attention"]}, {"sliding_window": 8}]
)
def test_models_that_look_back_over_a_window_do_not_share(changes):
    lm = tiny_lm()
    for name, value in changes.items():
        setattr(lm.config, name, value)
    if "sliding_window" in changes:
        lm.config.layer_types = None
    assert level_tokens(lm) is None


def test_a_model_whose_layers_are_all_alike_shares():
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    assert getattr(config, "layer_types", None) is None
    assert level_tokens(LlamaForCausalLM(config)) > 0
