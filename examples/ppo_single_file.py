"""PPO in one file, as CleanRL has it: torch and the discrete interface, and nothing else of ours.

    python examples/ppo_single_file.py --out runs/ppo.pt
    wideseek benchmark --policies fanout,random,examples.ppo_single_file:load:runs/ppo.pt \
        --sources easy --widths 1,2,4 --num-tasks 24

The first trains for two minutes on one core; the second puts what it learned into the table.
Lead and subagents have a network each, and everybody gets the team's reward. Read it from `main`.
Beside CleanRL's `ppo.py` there are three things: illegal moves are masked; steps at which an agent
has one legal move teach nothing and are left out; and time goes by agent, as between two decisions
of an agent there may be many steps of the others.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from wideseek.agents.learned import DiscretePolicy, torch_actor

import wideseek_env


@dataclass(frozen=True)
class Config:
    """What a run is made of; CleanRL's names where it has them."""

    preset: str = "easy"
    n_subagents: int = 4
    num_worlds: int = 8  # training worlds; those of the benchmark are others
    num_updates: int = 60
    seed: int = 0
    num_envs: int = 8
    episodes_per_update: int = 32
    num_epochs: int = 4
    minibatch: int = 512
    lr: float = 1e-3
    gamma: float = 1.0  # episodes are short and end by themselves
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    value_weight: float = 0.5
    max_grad_norm: float = 0.5


class Agent(nn.Module):
    """Policy and value of one role, on features and nothing else."""

    def __init__(self, num_features: int, num_moves: int, hidden: int = 64) -> None:
        super().__init__()

        def net(num_out: int, gain: float) -> nn.Sequential:
            last = nn.Linear(hidden, num_out)
            nn.init.orthogonal_(last.weight, gain)
            nn.init.zeros_(last.bias)
            layers = [nn.Linear(num_features, hidden), nn.Tanh(), nn.Linear(hidden, hidden)]
            return nn.Sequential(*layers, nn.Tanh(), last)

        self.actor = net(num_moves, 0.01)
        self.critic = net(1, 1.0)

    def forward(self, features: Tensor) -> Tensor:
        """Gives the logits of all moves, as `torch_actor` plays them."""
        return self.actor(features)

    def choices(self, features: Tensor, masks: Tensor) -> Categorical:
        """Gives the chances of the legal moves."""
        return Categorical(logits=self(features).masked_fill(~masks, -1e9))


def role_of(agent: str) -> str:
    """Gives `lead` or `subagent`."""
    return agent.partition("_")[0]


def make_env(config: Config) -> wideseek_env.WideSeekEnv:
    """Makes an environment that draws its tasks from several training worlds."""
    return wideseek_env.parallel_env(
        config.n_subagents,
        interface="discrete",
        preset=config.preset,
        world_seed=range(config.num_worlds),
    )


def make_agents(env: wideseek_env.WideSeekEnv) -> dict[str, Agent]:
    """Makes the networks of both roles."""
    return {
        role_of(agent): Agent(
            env.observation_space(agent)["observation"].shape[0], int(env.action_space(agent).n)
        )
        for agent in ("lead", "subagent_0")
    }


class Track:
    """What one agent saw and did in an episode, where it had a choice."""

    def __init__(self) -> None:
        self.features: list[np.ndarray] = []
        self.masks: list[np.ndarray] = []
        self.moves: list[int] = []
        self.logprobs: list[float] = []
        self.values: list[float] = []


@torch.inference_mode()
def play(
    envs: list[wideseek_env.WideSeekEnv], agents: dict[str, Agent]
) -> list[tuple[float, dict[str, Track]]]:
    """Plays an episode in each environment, all networks' inputs of a step in one batch."""
    tracks: list[dict[str, Track]] = [defaultdict(Track) for _ in envs]
    seen = [env.reset()[0] for env in envs]
    returns = [0.0] * len(envs)
    while any(env.agents for env in envs):
        actions: list[dict[str, int]] = [{} for _ in envs]
        for role, net in agents.items():
            asked = [
                (number, agent, observation)
                for number, env in enumerate(envs)
                if env.agents
                for agent, observation in seen[number].items()
                if role_of(agent) == role and observation["action_mask"].sum() > 1
            ]
            if not asked:
                continue
            features = torch.as_tensor(np.array([o["observation"] for *_, o in asked]))
            masks = torch.as_tensor(np.array([o["action_mask"] for *_, o in asked], bool))
            chances = net.choices(features, masks)
            moves = chances.sample()
            figures = chances.log_prob(moves), net.critic(features).squeeze(-1)
            for (number, agent, observation), move, logprob, value in zip(
                asked, moves.tolist(), *(each.tolist() for each in figures), strict=True
            ):
                actions[number][agent] = move
                track = tracks[number][agent]
                track.features.append(observation["observation"])
                track.masks.append(observation["action_mask"].astype(bool))
                track.moves.append(move)
                track.logprobs.append(logprob)
                track.values.append(value)
        for number, env in enumerate(envs):
            if env.agents:
                for agent, observation in seen[number].items():
                    if agent not in actions[number]:  # the one legal move
                        actions[number][agent] = int(observation["action_mask"].argmax())
                seen[number], rewards, *_ = env.step(actions[number])
                returns[number] += rewards["lead"]
    return list(zip(returns, tracks, strict=True))


def advantages(values: list[float], total: float, config: Config) -> np.ndarray:
    """Gives the GAE of decisions of which the last alone is paid: the team's reward at the end."""
    result, gae = np.zeros(len(values), np.float32), 0.0
    for t in reversed(range(len(values))):
        after = total if t == len(values) - 1 else config.gamma * values[t + 1]
        gae = after - values[t] + config.gamma * config.gae_lambda * gae
        result[t] = gae
    return result


def update(
    net: Agent,
    optimizer: torch.optim.Optimizer,
    episodes: list[tuple[float, dict[str, Track]]],
    role: str,
    config: Config,
) -> None:
    """Improves the network of one role by what its agents did."""
    played = [(r, t) for r, tracks in episodes for a, t in tracks.items() if role_of(a) == role]
    if not played:
        return
    features = torch.as_tensor(np.concatenate([t.features for _, t in played]))
    masks = torch.as_tensor(np.concatenate([t.masks for _, t in played]))
    moves = torch.tensor([move for _, t in played for move in t.moves])
    old = torch.tensor([logprob for _, t in played for logprob in t.logprobs])
    values = torch.tensor([value for _, t in played for value in t.values])
    gains = torch.as_tensor(np.concatenate([advantages(t.values, r, config) for r, t in played]))
    targets = gains + values
    for _ in range(config.num_epochs):
        for index in torch.randperm(len(moves)).split(config.minibatch):
            chances = net.choices(features[index], masks[index])
            ratio = (chances.log_prob(moves[index]) - old[index]).exp()
            gain = gains[index]
            gain = (gain - gain.mean()) / (gain.std(correction=0) + 1e-8)
            clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
            policy_loss = -torch.min(ratio * gain, clipped * gain).mean()
            value_loss = (net.critic(features[index]).squeeze(-1) - targets[index]).square().mean()
            loss = policy_loss + config.value_weight * value_loss
            loss = loss - config.entropy * chances.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), config.max_grad_norm)
            optimizer.step()


def train(config: Config) -> tuple[dict[str, Agent], list[float]]:
    """Trains; gives the networks and the mean return of the episodes of each update."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)  # the networks are small
    envs = [make_env(config) for _ in range(config.num_envs)]
    for number, env in enumerate(envs):
        env.reset(seed=config.seed * 1000 + number)
    agents = make_agents(envs[0])
    optimizers = {
        role: torch.optim.Adam(net.parameters(), config.lr) for role, net in agents.items()
    }
    curve: list[float] = []
    for number in range(config.num_updates):
        episodes = []
        while len(episodes) < config.episodes_per_update:
            episodes += play(envs, agents)
        curve.append(float(np.mean([total for total, _ in episodes])))
        for role, net in agents.items():
            update(net, optimizers[role], episodes, role, config)
        if number % 5 == 0:
            print(f"update {number}: mean return {curve[-1]:.3f}", flush=True)
    return agents, curve


def load(file: str) -> DiscretePolicy:
    """What was trained, as a policy of the benchmark's table."""
    agents = make_agents(wideseek_env.parallel_env(1, interface="discrete", preset="starter"))
    for role, weights in torch.load(file, weights_only=True).items():
        agents[role].load_state_dict(weights)
    return DiscretePolicy(torch_actor(agents["lead"], agents["subagent"], temperature=0.5), "ppo")


def main() -> None:
    """Trains, and keeps the weights."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("runs/ppo.pt"), help="of the weights")
    parser.add_argument("--updates", type=int, default=Config.num_updates)
    parser.add_argument("--seed", type=int, default=Config.seed)
    parser.add_argument("--preset", default=Config.preset)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    agents, curve = train(Config(num_updates=given.updates, seed=given.seed, preset=given.preset))
    print(f"first updates {np.mean(curve[:2]):.2f}, last updates {np.mean(curve[-5:]):.2f}")
    torch.save({role: net.state_dict() for role, net in agents.items()}, given.out)


if __name__ == "__main__":
    main()
