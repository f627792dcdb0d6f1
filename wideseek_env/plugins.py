"""Things that a user names: one of ours, one of an installed package, or one of the user's own.

A thing of a kind (`policies`, `sources`, `backends`, `formats`, `engines`, `scorers`, `advantages`)
is named by

- a name of our table of that kind, such as `fanout`;
- a Python path, `my_package.policies:Mine`, so that nobody edits our files to take part;
- a name that an installed package registers as an entry point of the group `wideseek.KIND`:

      [project.entry-points."wideseek.policies"]
      mine = "my_package.policies:Mine"
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any


class MissingExtra(ImportError):
    """A library that only some users need is not installed; the message says how to get it."""


PAGES = {
    "train": "training",
    "trl": "hubs",
    "openrlhf": "openrlhf",
    "ray": "cluster",
    "sb3": "discrete",
    "mcp": "backends",
    "web": "backends",
    "dense": "backends",
}
"""Pages of `docs/` that say more about an extra; `llm` has what is about the others."""


def require(module: str, extra: str) -> Any:
    """Imports a module that only some users have installed.

    Args:
        module: what to import.
        extra: the extra of this project that brings it.

    Raises:
        MissingExtra: it, or what it imports, is not there.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing: BaseException = error
        while isinstance(missing, MissingExtra) and missing.__cause__:  # one of ours has asked
            missing = missing.__cause__
        what = getattr(missing, "name", None) or module
        raise MissingExtra(
            f"{what} could not be imported ({missing}); install it with: "
            f"pip install 'wideseek[{extra}]' (see docs/{PAGES.get(extra, 'llm')}.md)"
        ) from missing


def late(module: str, extra: str) -> Any:
    """Stands for a module that is imported when something of it is first used.

    So that `--help` of a command and the settings of a trainer need none of its libraries.

    Args:
        module: what it stands for.
        extra: the extra of this project that brings it, see `require`.
    """
    return _Late(module, extra)


class _Late:
    def __init__(self, module: str, extra: str) -> None:
        self._module, self._extra = module, extra

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by pickle, doctest and others that only look around
            raise AttributeError(name)
        value = getattr(require(self._module, self._extra), name)
        setattr(self, name, value)  # the next time costs nothing
        return value


def resolve(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    """Finds the thing that a name stands for; an installed package cannot take one of our names.

    Args:
        kind: what it is, in the plural, such as `policies`.
        name: a key of `known`, `module:attribute`, or the name of an entry point.
        known: our own things of this kind, or Python paths of those that are loaded when asked for.

    Raises:
        ValueError: nothing is called so; the message has the nearest name and all others.
    """
    if name in known:
        ours = known[name]
        return _imported(kind, ours) if isinstance(ours, str) else ours
    if ":" in name:
        return _imported(kind, name)
    check(kind, name, known)
    (point, *_) = entry_points(group=f"wideseek.{kind}", name=name)
    return _imported(kind, point.value)


def made(kind: str, name: str, found: Any) -> Any:
    """Gives a thing that `resolve` found, or what it makes when it is a class or a function.

    Raises:
        ValueError: it cannot be made without arguments.
    """
    if not callable(found):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise ValueError(f"{kind}: {name} is called without arguments, but {error}") from error
    return found()


def check(kind: str, name: str, known: Iterable[str]) -> None:
    """Looks whether `resolve` would know a name, without importing what it stands for.

    Raises:
        ValueError: nothing is called so; the message has the nearest name and all others.
    """
    valid = names(kind, known)
    if ":" not in name and name not in valid:
        raise ValueError(
            f"{kind}: expected {one_of(valid, name)}; or give a Python path such as "
            "my_package.my_module:MyName"
        )


def names(kind: str, known: Iterable[str]) -> list[str]:
    """Lists every name of a kind that can be used here, ours first."""
    ours = list(known)
    installed = {point.name for point in entry_points(group=f"wideseek.{kind}")}
    return [*ours, *sorted(installed.difference(ours))]


def one_of(valid: Iterable[str], got: str) -> str:
    """Says what a name may be, what it was, and which one is probably meant."""
    valid = list(valid)
    near = difflib.get_close_matches(got, valid, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = f"one of {', '.join(valid)}" if valid else "a name, of which there is none yet"
    return f"{known}, got {got!r}{hint}"


def _imported(kind: str, path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise ValueError(
            f"{kind}: expected a path such as my_package.my_module:MyName, got {path!r}"
        )
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only the path itself is the user's mistake; a library that it imports is another matter.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise MissingExtra(
                f"{kind}: {path!r} could not be imported ({error}); install what it needs"
            ) from error
        raise ValueError(
            f"{kind}: expected an importable module in {path!r}, but there is no {error.name!r}; "
            "is its folder the current one, or its package installed?"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [other for other in vars(found) if not other.startswith("_")]
            raise ValueError(f"{kind}: {path!r}: expected {one_of(public, part)}")
        found = getattr(found, part)
    return found
