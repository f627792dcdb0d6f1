"""A game of token sequences that a tiny random model plays in milliseconds, for trainer tests.

Lead and one to three subagents write two turns of four tokens each; the team's reward is the share
of tokens with an id below `GOOD`. The records are those of real episodes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from made_episodes import made_task
from transformers import Qwen3Config, Qwen3ForCausalLM

from wideseek_env.records import Decision, Episode, Limits, Score, TokenSpan, Trajectory, Turn

VOCAB, GOOD = 32, 8
torch.set_num_threads(1)  # matrices this small are slower with more, and the same bits need one


def tiny_lm(seed: int = 0) -> Qwen3ForCausalLM:
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        tie_word_embeddings=True,
        max_position_embeddings=64,
    )
    return Qwen3ForCausalLM(config).eval()


def toy_play(
    lm: Qwen3ForCausalLM, *, seed: int = 0, tasks: int = 2, group: int = 4, shuffled: bool = False
) -> Callable[[int], list[Episode]]:
    """Returns `play(iteration)`; with `shuffled`, rewards go to the wrong episodes."""

    def play(iteration: int) -> list[Episode]:
        rng = np.random.default_rng((seed, iteration))
        widths = rng.integers(1, 4, size=(tasks, group))
        seats = [
            (task, agent)
            for task in range(tasks)
            for width in widths[task]
            for agent in range(width + 1)
        ]
        spans = iter(_sample(lm, seats, rng))
        episodes = []
        for task in range(tasks):
            teams = [[next(spans) for _ in range(width + 1)] for width in widths[task]]
            rewards = [_reward(team) for team in teams]
            if shuffled:
                rng.shuffle(rewards)
            episodes += [
                toy_episode(task, team, reward) for team, reward in zip(teams, rewards, strict=True)
            ]
        return episodes

    return play


def _reward(team: list[list[TokenSpan]]) -> float:
    ids = [i for spans in team for span in spans for i in span.ids]
    return sum(i < GOOD for i in ids) / len(ids)


@torch.no_grad()
def _sample(
    lm: Qwen3ForCausalLM, seats: list[tuple[int, int]], rng: np.random.Generator
) -> list[list[TokenSpan]]:
    """Returns two spans for each (task, agent), sampled from the model."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    device = next(lm.parameters()).device
    shown = ids = torch.tensor([[31, 30 - task, 20 + agent] for task, agent in seats])
    spans: list[list[TokenSpan]] = [[] for _ in seats]
    for turn in range(2):
        if turn:
            shown = torch.full((len(seats), 2), 29 - turn)
            ids = torch.cat([ids, shown], dim=1)
        logprobs = []
        for _ in range(4):
            last = torch.log_softmax(lm(ids.to(device)).logits[:, -1].float().cpu(), dim=-1)
            token = torch.multinomial(last.exp(), 1, generator=generator)
            logprobs.append(last.gather(1, token))
            ids = torch.cat([ids, token], dim=1)
        scores = torch.cat(logprobs, dim=1)
        for row in range(len(seats)):
            spans[row].append(
                TokenSpan(
                    tuple(shown[row].tolist()),
                    tuple(ids[row, -4:].tolist()),
                    tuple(scores[row].tolist()),
                )
            )
    return spans


def toy_episode(task: int, team: list[list[TokenSpan]], reward: float, **changes) -> Episode:
    """Returns the record of a team's tokens; the lead's spans are `team[0]`."""
    trajectories = [
        Trajectory(
            agent="lead" if number == 0 else f"subagent_{number - 1}",
            role="lead" if number == 0 else "subagent",
            prompt="",
            turns=tuple(Turn(Decision(tokens=span), (), 0.0, 0.0, 0.0, 0) for span in spans),
            end="answered" if number == 0 else "reported",
        )
        for number, spans in enumerate(team)
    ]
    settings = {
        "task": made_task(task),
        "policy": "toy",
        "seed": 0,
        "n_subagents": 3,
        "limits": Limits(),
        "trajectories": tuple(trajectories),
        "end": "answered",
        "answer": "",
        "score": Score(0.0, 0.0, 0.0, 0.0, reward, reward, reward),
        "reward_terms": {"item_f1": reward},
        "provenance": (),
        "seconds": 0.0,
    }
    return Episode(**{**settings, **changes})
