"""Who plays under which name: ours, one's own by path and argument, checkpoints, models."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agents.learned import DiscretePolicy
from agents.learned.policy import WEIGHTS
from benchmarks.compare.policies import entry_of
from wideseek_env.cli.commands import main
from wideseek_env.errors import DataError

ROOT = Path(__file__).parents[3]
OWN = '''
from agents.learned import DiscretePolicy
from agents.scripted import SoloPolicy

policy = DiscretePolicy(lambda agent, seen, rng: seen["action_mask"].argmax(), "mine")

def load(text) -> DiscretePolicy:
    """Loads."""
    return DiscretePolicy(lambda agent, seen, rng: 0, f"loaded {text}")

def other(text):
    policy = SoloPolicy()
    policy.name = text
    return policy
'''


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a user's, whose name no other test has imported."""
    name = f"own_policies_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_discrete_policy_of_ones_own_plays_where_it_can(own: str) -> None:
    entry = entry_of(f"{own}:policy")
    assert entry.plays("easy", 2)
    assert not entry.plays("easy", 0)
    assert not entry.plays("corpus:somewhere", 2)
    assert entry.make([]).name == "mine"


def test_what_follows_the_second_colon_is_the_argument(own: str) -> None:
    entry = entry_of(f"{own}:load:http://a:80/b")
    assert entry.make([]).name == "loaded http://a:80/b"
    assert (entry.usage, entry.team) == ("Loads.", "team")
    other = entry_of(f"{own}:other:run/x.pt")
    assert (other.make([]).name, other.team) == ("run/x.pt", "any")


def test_weights_of_a_training_run_play_under_their_own_name() -> None:
    entry = entry_of(f"weights:{WEIGHTS}")
    assert entry.team == "team"
    policy = entry.make([])
    assert isinstance(policy, DiscretePolicy)
    assert policy.name == f"weights:{WEIGHTS}"


@pytest.mark.parametrize("name", ["weights:runs/none", "sb3:runs/none.zip", "hf:runs/none"])
def test_a_checkpoint_that_is_not_there_is_told_before_play(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", "--policies", name, "--out", str(tmp_path / "runs")]
    assert main(words) == 2
    assert "runs/none" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(not has("sb3_contrib"), reason="needs the extra sb3")
@pytest.mark.filterwarnings("default")  # the libraries warn about one another
def test_checkpoints_of_sb3_play_as_the_library_would(tmp_path: Path) -> None:
    import numpy as np
    from gymnasium import spaces
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import DQN, PPO

    import wideseek_env
    from trainers.third_party.sb3_maskable_ppo import AgentsAsVecEnv
    from wideseek_env.wrappers import Homogenize

    env = Homogenize(wideseek_env.parallel_env(2, interface="discrete", preset="starter"))
    seen, _ = env.reset(seed=0)
    vector = AgentsAsVecEnv([env])
    policies = {}
    for kind in (MaskablePPO, PPO, DQN):
        model = kind("MlpPolicy", vector, device="cpu", seed=1)
        model.save(tmp_path / f"{kind.__name__}.zip")
        policies[kind] = model, entry_of(f"sb3:{tmp_path}/{kind.__name__}.zip").make([])
    plain, _ = wideseek_env.parallel_env(2, interface="discrete", preset="starter").reset(seed=0)
    for kind, (model, policy) in policies.items():
        for agent, shown in seen.items():
            told = {"action_masks": shown["action_mask"]} if kind is MaskablePPO else {}
            move, _ = model.predict(shown["observation"], deterministic=True, **told)
            rng = np.random.default_rng(0)
            assert policy.act(agent, plain[agent], rng) == int(move), (kind, agent)

    class Small(AgentsAsVecEnv):
        def __init__(self) -> None:
            super().__init__([env])
            self.observation_space = spaces.Box(0.0, 1.0, (4,))

    PPO("MlpPolicy", Small(), device="cpu").save(tmp_path / "small.zip")
    with pytest.raises(DataError, match=r"expected a policy of \d+ features"):
        entry_of(f"sb3:{tmp_path}/small.zip").make([])
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(DataError, match="expected a checkpoint"):
        entry_of(f"sb3:{tmp_path}/no.zip").make([])


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.timeout(900)
@pytest.mark.skipif(not has("torch"), reason="torch is not installed")
def test_the_single_file_ppo_learns_and_stands_beside_fanout(tmp_path: Path) -> None:
    """A quarter of its training: on held-out worlds it is above random moves by .15."""
    (tmp_path / "drawn.py").write_text(
        "from agents.learned import DiscretePolicy\n"
        "policy = DiscretePolicy(lambda a, seen, rng: rng.choice(seen['action_mask'].nonzero()[0]))"
    )
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True, text=True, cwd=ROOT, check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    out = run("examples/ppo_single_file.py", "--out", f"{tmp_path}/ppo.pt", "--updates", "15")
    first, last = map(float, re.findall(r"\d\.\d+", out.splitlines()[-1]))
    assert last > first + 0.1
    own = f"examples.ppo_single_file:load:{tmp_path}/ppo.pt"
    words = f"benchmark --policies fanout,drawn:policy,{own} --sources easy --widths 2 --depths"
    run("-m", "wideseek_env", *words.split(), "", "--num-tasks", "12", "--num-workers", "1",
        "--out", str(tmp_path), "--name", "r")  # fmt: skip
    rows = json.loads((tmp_path / "r" / "summary.json").read_text())["rows"]
    f1 = {row["policy"]: row["item_f1"]["mean"] for row in rows}
    assert f1["fanout"] >= f1[own] > f1["drawn:policy"] + 0.15
