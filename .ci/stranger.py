"""What a stranger with nothing but the wheel does; every line has to work. See `.ci/release`."""

import importlib.metadata
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import wideseek
import wideseek_env
from wideseek.agents.scripted import FanoutPolicy
from wideseek.agents.stepping import step_through

EXTRAS = {
    "accelerate", "agilerl", "benchmarl", "bm25s", "datasets", "deepspeed", "fastapi", "flash_attn",
    "mcp", "openenv", "openrlhf", "peft", "pypdf", "qdrant_client", "ray", "sb3_contrib",
    "sentence_transformers", "stable_baselines3", "tensorboard", "tensordict", "tianshou", "torch",
    "torchrl", "transformers", "trl", "uvicorn", "verifiers", "vllm",
}  # fmt: skip
USER = """
from wideseek.agents.learned import DiscretePolicy
from wideseek.agents.policy import Policy
import wideseek_env

policy: Policy = DiscretePolicy(lambda agent, seen, rng: seen["action_mask"].argmax())


def wrong() -> str:
    return wideseek_env.Limits().max_lead_turns
"""


def command(*words: str, status: int = 0) -> str:
    """Runs `wideseek` as installed, in the present folder."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "wideseek"), *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def main() -> None:
    """Uses the wheel."""
    top = {str(file).split("/")[0] for file in importlib.metadata.files("wideseek") or ()}
    owned = {name for name in top if name != ".." and not name.endswith(".dist-info")}
    assert owned == {"wideseek", "wideseek_env"}, f"the wheel owns other names: {owned}"

    num = 0
    for package in (wideseek, wideseek_env):
        for module in pkgutil.walk_packages(
            package.__path__, f"{package.__name__}.", lambda _: None
        ):
            if module.name.endswith("__main__") or ".stubs." in module.name:
                continue
            try:
                importlib.import_module(module.name)
                num += 1
            except ImportError as error:  # of an extra, and of nothing else
                missing = getattr(error.__cause__, "name", None) or error.name or ""
                assert missing.split(".")[0] in EXTRAS, (module.name, error, missing)
    print(f"{num} modules import without extras")

    env = wideseek_env.parallel_env(n_subagents=4, preset="starter")
    assert step_through(env, FanoutPolicy(), seed=0).score.item_f1 > 0.9

    assert command("--version").split() == ["wideseek", importlib.metadata.version("wideseek")]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "user.py").write_text(USER)
        words = ["--policies", "solo,fanout,mappo,user:policy", "--sources", "starter", "--widths"]
        words += ["0,2", "--depths", "", "--num-tasks", "2", "--num-workers", "2", "--out", "runs"]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "wideseek"), "benchmark", *words, "--name", "r"],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert Path(folder, "runs/r/report.html").stat().st_size > 100_000
        typed = subprocess.run(
            [sys.executable, "-m", "mypy", "--no-error-summary", "user.py"],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        assert 'got "int", expected "str"' in typed.stdout, typed.stdout + typed.stderr
        assert len(typed.stdout.splitlines()) == 1, typed.stdout
    assert "pip install 'wideseek[" in command("train", "mappo", "--out", "x", status=2)
    assert not Path("x").exists()
    for name in ("gauntlet", "train grpo", "evaluate", "speed throughput"):
        assert "usage: wideseek" in command(*name.split(), "--help")
    print("a stranger can use it")


if __name__ == "__main__":
    main()
