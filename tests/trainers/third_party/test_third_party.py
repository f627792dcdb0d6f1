"""Each third-party library really trains, and the return rises; slow, and skipped without it."""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.train,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("default"),  # the libraries warn about one another
]


def need(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install -e '.[{extra}]'")


def check_rise(returns: list[float], least: float) -> None:
    """The mean of the last three batches lies above that of the first by `least`."""
    assert np.isfinite(returns).all()
    assert np.mean(returns[-3:]) > returns[0] + least


@pytest.mark.parametrize("algorithm", ["mappo", "ippo"])
def test_torchrl_learns(algorithm: str, tmp_path: Path) -> None:
    need("torchrl", "torchrl")
    from trainers.third_party.torchrl_mappo import Config, train

    config = Config(
        algorithm=algorithm,  # type: ignore[arg-type]
        presets=("easy",), budgets=(60,), widths=(2, 4), num_envs=8, num_worlds=1, horizon=128,
        num_steps=15_000, minibatch=256, lr=2e-3,
    )  # fmt: skip
    curve = train(config, tmp_path, num_subagents=4)
    check_rise([row["item_f1"] for row in curve], 0.15)
    from agents.learned.weights import load_weights

    assert load_weights(tmp_path / "weights.safetensors").about["config"]["algorithm"] == algorithm
    assert (tmp_path / "curve.csv").read_text().startswith("step,item_f1")


def test_torchrl_wrapper_takes_the_environment_unchanged() -> None:
    need("torchrl", "torchrl")
    from torchrl.envs import PettingZooWrapper
    from torchrl.envs.utils import check_env_specs

    import wideseek_env

    env = wideseek_env.parallel_env(2, interface="discrete", preset="starter")
    check_env_specs(PettingZooWrapper(env, return_state=True, categorical_actions=True))


def test_sb3_learns() -> None:
    need("sb3_contrib", "sb3")
    from trainers.third_party.sb3_maskable_ppo import train

    check_rise(train(10_000), 0.2)


def test_benchmarl_learns() -> None:
    need("benchmarl", "benchmarl")
    from trainers.third_party.benchmarl_task import train

    check_rise(train(10_000), 0.1)


def test_rllib_learns() -> None:
    try:  # Ray may be there without what its RLlib needs
        importlib.import_module("ray.rllib.algorithms.ppo")
    except ImportError as error:
        pytest.skip(f"RLlib is not installed, {error}: pip install -e '.[rllib]'")
    from trainers.third_party.rllib_ppo import train

    check_rise(train(6_000), 0.1)
