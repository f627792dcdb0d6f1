"""`wideseek.agents`, `wideseek.trainers` and `wideseek.benchmarks`: the names to import these by.

They hold in every installation. A wheel has the three packages in here (`hatch_build.py` puts them
in), as other distributions own the name `agents`. In a checkout they lie beside this folder, and
`wideseek.agents.policy` is the module `agents.policy` under a second name.

This is also the environment `wideseek` of the library `verifiers`, whose loader asks a package of
that name for what `__all__` says; see `trainers/third_party/verifiers_env.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

__all__ = ["WideSeekTaskset", "WideSeekTeam"]
_PACKAGES = ("agents", "trainers", "benchmarks")


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(
            importlib.import_module(f"{__name__}.trainers.third_party.verifiers_env"), name
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Beside(MetaPathFinder, Loader):
    """Finds `wideseek.agents.x` as the very module `agents.x`, so that no class is there twice."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own, _, beside = name.partition(".")
        if own != __name__ or beside.partition(".")[0] not in _PACKAGES:
            return None
        try:
            there = importlib.util.find_spec(beside)
        except ModuleNotFoundError:  # of the package above it
            there = None
        return ModuleSpec(name, self) if there else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(spec.name.partition(".")[2])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has run already, and `import` has just given it the spec of its second name.
        if module.__spec__ is not None and module.__spec__.loader is self:
            module.__spec__ = module.__spec__.loader_state

    def get_code(self, name: str) -> CodeType | None:
        """Gives what `python -m wideseek.agents.x` runs: the code of `agents.x`."""
        short = name.partition(".")[2]
        spec = importlib.util.find_spec(short)
        get_code = getattr(spec and spec.loader, "get_code", None)
        return get_code(short) if get_code else None


if not (Path(__file__).parent / "agents").is_dir():
    sys.meta_path.insert(0, _Beside())  # before who would load the files a second time
