"""Options of a command: a dataclass with a sentence under each field, from which tyro makes flags.

How options look is the same everywhere: lists are one word with commas (`--widths 0,4,8`), `none`
stands for nothing, and a number out of its range or a file that cannot be read or written is named
before any work begins.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as hints_of

from msgspec import Meta

from wideseek_env.plugins import one_of

if TYPE_CHECKING:
    from tyro.constructors import (
        PrimitiveConstructorSpec,
        PrimitiveTypeInfo,
        StructConstructorSpec,
        StructTypeInfo,
    )

Options = TypeVar("Options")

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
AtLeastZero = Annotated[float, Meta(ge=0)]


class Cluster(str):
    """Address of a Ray cluster; the flag alone, with no word behind it, is the address ""."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PathRule:
    """What has to be true of a path before work begins."""

    what: Literal["file", "folder"]
    use: Literal["read", "write"]


InFile = Annotated[Path, PathRule("file", "read")]
InFolder = Annotated[Path, PathRule("folder", "read")]
OutFile = Annotated[Path, PathRule("file", "write")]
OutFolder = Annotated[Path, PathRule("folder", "write")]


def flag(name: str) -> str:
    """Spells a field as its flag."""
    return "--" + name.replace("_", "-")


def check_values(options: Any) -> None:
    """Holds the fields of a dataclass to their ranges and choices; made for `__post_init__`.

    Raises:
        ValueError: a value is none of those that its field allows.
    """
    for name, hint in hints_of(type(options), include_extras=True).items():
        for value, rules, choices in _parts(getattr(options, name), hint):
            if choices and value not in choices:
                raise ValueError(f"{flag(name)}: expected {one_of(map(str, choices), str(value))}")
            for rule in rules:
                if isinstance(rule, Meta) and not _within(value, rule):
                    raise ValueError(f"{flag(name)}: expected {_range(rule)}, got {value!r}")


def check_presets(presets: Iterable[str], option: str = "--presets") -> None:
    """Looks whether worlds have these presets.

    Raises:
        ValueError: one of them is unknown.
    """
    from wideseek_env.worlds import PRESETS  # noqa: PLC0415 - not all commands need worlds

    for name in presets:
        if name not in PRESETS:
            raise ValueError(f"{option}: expected {one_of(PRESETS, name)}")


def recorded(backend: str | None, record: str | None, replay_tools: str | None) -> str | None:
    """Gives the text of a backend that is recorded, or replaced by a record (`named.py`).

    Args:
        backend: text of what is asked.
        record: file of calls, which answers what it knows and is told the rest.
        replay_tools: file of calls that answers alone.

    Raises:
        ValueError: these exclude one another.
    """
    if record is not None and replay_tools is not None:
        raise ValueError("--record asks and --replay-tools does not: give one of them")
    if replay_tools is not None and backend is not None:
        raise ValueError("--replay-tools answers from its file alone: leave out --backend")
    if record is not None and backend is None:
        raise ValueError(
            "--record goes with --backend, whose answers it keeps; closed worlds need no record"
        )
    if replay_tools is not None:
        return f"replay:{replay_tools}"
    return backend if record is None else f"record:{record}:{backend}"


def check_paths(options: Any) -> None:
    """Looks whether every input can be read and every output written, and leaves nothing behind.

    Raises:
        OSError: one cannot; the message names the flag.
    """
    for field_name, hint in hints_of(type(options), include_extras=True).items():
        found = getattr(options, field_name)
        if is_dataclass(found):
            check_paths(found)
        for value, rules, _ in _parts(found, hint):
            for rule in rules:
                if isinstance(rule, PathRule):
                    _check_path(flag(field_name), Path(value), rule)


def _parts(value: Any, hint: Any) -> list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]]:
    """Lists (value, rules, choices) of a field; a tuple gives one for each of its items."""
    rules: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *extra = get_args(hint)
        rules = tuple(extra)
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return []
        inner = [kind for kind in get_args(hint) if kind is not type(None)]
        return _parts(value, inner[0]) if len(inner) == 1 else []
    if get_origin(hint) is tuple and isinstance(value, tuple):
        kinds = get_args(hint)
        return [
            part
            for index, item in enumerate(value)
            for part in _parts(item, kinds[0 if kinds[-1] is Ellipsis else index])
        ]
    return [(value, rules, get_args(hint) if _is_literal(hint) else ())]


def _within(value: Any, rule: Meta) -> bool:
    return (
        (rule.ge is None or value >= rule.ge)
        and (rule.gt is None or value > rule.gt)
        and (rule.le is None or value <= rule.le)
    )


def _range(rule: Meta) -> str:
    low = f"at least {rule.ge}" if rule.ge is not None else ""
    low = f"more than {rule.gt}" if rule.gt is not None else low
    high = f"at most {rule.le}" if rule.le is not None else ""
    return " and ".join(bound for bound in (low, high) if bound)


def _check_path(name: str, path: Path, rule: PathRule) -> None:
    if rule.use == "read":
        if rule.what == "folder" and not path.is_dir():
            raise OSError(f"{name}: expected a folder, but {path} is none")
        if rule.what == "file" and not path.is_file():
            raise OSError(f"{name}: expected a file, but {path} is none")
        if not os.access(path, os.R_OK):
            raise OSError(f"{name}: {path} cannot be read; are its permissions right?")
        return
    if rule.what == "file" and path.is_dir():
        raise OSError(f"{name}: expected the name of a file, but {path} is a folder")
    folder = path if rule.what == "folder" else path.parent
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if rule.what == "file" and path.exists() and not os.access(path, os.W_OK):
            raise PermissionError("its permissions forbid it")
    except OSError as error:
        raise OSError(f"{name}: {path} cannot be written: {error.strerror or error}") from error
    finally:
        for made in missing:
            if made.is_dir():
                made.rmdir()


def read_options(
    kind: type[Options], argv: Sequence[str], *, prog: str, default: Options | None = None
) -> Options:
    """Reads a command line; ends the process for `--help` (0) and for a mistake (2).

    Args:
        kind: dataclass of the options.
        argv: without the program's name.
        prog: how help calls the command.
        default: what counts where no flag is given; None: the defaults of `kind`.
    """
    import tyro  # noqa: PLC0415 - only command lines need it

    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_list_rule)
    registry.primitive_rule(_optional_rule)
    registry.primitive_rule(_word_rule)
    registry.struct_rule(_DataclassRule())
    more: dict[str, Any] = {} if default is None else {"default": default}
    try:
        read: Options = tyro.cli(
            kind,
            prog=prog,
            description=inspect.getdoc(kind),
            args=list(argv),
            registry=registry,
            **more,
        )
    except _Refused as refused:
        raise ValueError(str(refused)) from refused.__cause__
    return read


class _Refused(Exception):
    """A dataclass refused its values; tyro would frame a ValueError and break its lines."""


class _DataclassRule:
    """Lets the errors of `__post_init__` through to who reads the options."""

    def __init__(self) -> None:
        self._asking = False

    def __call__(self, info: StructTypeInfo) -> StructConstructorSpec | None:
        import tyro  # noqa: PLC0415

        if self._asking or not is_dataclass(info.type):
            return None
        self._asking = True  # the next rule, which is tyro's own
        try:
            spec = tyro.constructors.ConstructorRegistry.get_struct_spec(info)
        finally:
            self._asking = False
        if not isinstance(spec, tyro.constructors.StructConstructorSpec):
            return None
        return replace(spec, instantiate=_refusing(spec.instantiate))


def _refusing(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(**values: Any) -> Any:
        try:
            return make(**values)
        except ValueError as error:
            raise _Refused(str(error)) from error

    return made


def _list_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Reads `0,4,8`; positional lists stay words, as the shell makes them of `runs/*`."""
    import tyro  # noqa: PLC0415

    kinds = get_args(info.type)
    if get_origin(info.type) is not tuple or tyro.conf.Positional in info.markers:
        return None
    read = _reader(kinds[0])
    if read is None:
        return None
    size = None if kinds[-1] is Ellipsis else len(kinds)

    def instance(words: list[str]) -> tuple[Any, ...]:
        items = [item.strip() for item in words[0].split(",") if item.strip()]
        if size is not None and len(items) != size:
            raise ValueError(f"expected {size} values with commas between them, got {words[0]!r}")
        return tuple(read(item) for item in items)

    name = _metavar(kinds[0])
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{name},{name},..." if size is None else ",".join([name] * size),
        instance_from_str=instance,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value)) or '""'],
    )


def _optional_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Reads a value, or `none`."""
    import tyro  # noqa: PLC0415

    kinds = [kind for kind in get_args(info.type) if kind is not type(None)]
    if get_origin(info.type) not in (Union, types.UnionType) or len(kinds) != 1:
        return None
    may_be_bare = kinds == [Cluster]
    read = Cluster if may_be_bare else _reader(kinds[0])
    if read is None or type(None) not in get_args(info.type):
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=(0, 1) if may_be_bare else 1,
        metavar="[ADDRESS]|none" if may_be_bare else f"{_metavar(kinds[0])}|none",
        instance_from_str=lambda w: None if [*map(str.lower, w)] == ["none"] else read(*w),
        is_instance=lambda value: value is None or isinstance(value, _bare(kinds[0])),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


def _word_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Reads one of some names, or a number, with the same words as in a list of them."""
    import tyro  # noqa: PLC0415

    read = _reader(info.type) if info.type in (int, float) or _is_literal(info.type) else None
    if read is None:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=_metavar(info.type),
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: _is_literal(info.type) or isinstance(value, (int, float)),
        str_from_instance=lambda value: [str(value)],
    )


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _metavar(kind: Any) -> str:
    if _is_literal(kind):
        return "{" + ",".join(map(str, get_args(kind))) + "}"
    return str(_bare(kind).__name__).upper()


def _reader(kind: Any) -> Callable[[str], Any] | None:
    """Gives what turns a word into a value of a kind that is one word; None for other kinds."""
    bare = _bare(kind)
    if _is_literal(bare):
        choices = get_args(bare)

        def choose(word: str) -> Any:
            if word not in choices:
                raise ValueError(f"expected {one_of(choices, word)}")
            return word

        return choose
    if bare is int or bare is float:

        def number(word: str) -> Any:
            try:
                return bare(word)
            except ValueError as error:
                what = "a whole number" if bare is int else "a number"
                raise ValueError(f"expected {what}, got {word!r}") from error

        return number
    return bare if bare in (str, Path) else None
