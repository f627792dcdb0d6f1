"""A run's folder: what was asked for (run.json) beside what was played (episodes.jsonl)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.compare.settings import Settings
from wideseek_env.backends.recording import CallStore
from wideseek_env.errors import DataError
from wideseek_env.records import RECORD_VERSION
from wideseek_env.worlds import WORLD_VERSION, salt_mark

EPISODES = "episodes.jsonl"
RUN = "run.json"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was asked for, by whom and when; enough to ask for it again."""

    settings: Settings
    num_expected: int
    """Episodes that the run has when it is complete."""
    command: str
    """The command line that began it."""
    started: str
    """ISO 8601, UTC."""
    versions: Mapping[str, str]
    """Of this project, Python and the libraries that an episode depends on."""

    @classmethod
    def new(cls, settings: Settings, num_expected: int, command: str) -> RunInfo:
        """Returns the record of a run that begins now."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(settings, num_expected, command, started, versions(settings.read_salt()))

    @classmethod
    def read(cls, folder: Path) -> RunInfo:
        """Returns the record of a run's folder.

        Raises:
            DataError: the folder holds no run, or one of another release.
        """
        path = folder / RUN
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            settings = Settings.from_json(data.pop("settings"))
            return cls(settings=settings, **data)
        except FileNotFoundError as error:
            raise DataError(
                f"expected the folder of a benchmark run, but {path} is not there; "
                "`wideseek benchmark` makes one under runs/"
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"expected the record of a benchmark run of this release in {path}: {error}"
            ) from error

    def write(self, folder: Path) -> None:
        """Writes the record into a run's folder, whole or not at all."""
        data = {**asdict(self), "settings": self.settings.to_json()}
        write_whole(folder / RUN, json.dumps(data, indent=1) + "\n")


def check_same(folder: Path, settings: Settings) -> bool:
    """Returns whether the folder holds a run of these settings that can go on.

    Raises:
        DataError: it holds a run of other settings or versions, or files that are no run.
    """
    if not (folder / EPISODES).exists() or not (folder / EPISODES).stat().st_size:
        return False  # none, or a run that failed before it had played anything
    if not (folder / RUN).exists():
        raise DataError(
            f"{folder} holds {EPISODES} but no {RUN}, so it is not known which settings it was "
            "played under; give this run another --name, or move the folder away"
        )
    info = RunInfo.read(folder)
    difference = settings.difference(info.settings.to_json())
    for name, now in versions(settings.read_salt()).items():
        if difference is None and info.versions.get(name) != now:
            difference = f"the version of {name} was {info.versions.get(name)} and is now {now}"
    if difference is not None:
        raise DataError(
            f"{folder} holds another run: {difference}; ask for the same to go on with it, or give "
            "this run another --name"
        )
    return True


def calls_told(settings: Settings) -> str | None:
    """Says what the file of a recorded run has cost and saved; None: there is none, or no more.

    Of all runs that were recorded in it: it is their cap that the costs are held to.
    """
    if settings.record is None or not Path(settings.record).is_file():
        return None
    store = CallStore(settings.record)
    try:
        return store.told()
    finally:
        store.close()


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never a half.

    Raises:
        OSError: it cannot be written; an old file is still there.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def versions(salt: str = "") -> dict[str, str]:
    """Returns the versions that an episode depends on, a digest of the worlds' salt with them."""
    libraries = ("wideseek", "numpy", "tantivy", "lxml", "gymnasium", "pettingzoo", "msgspec")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in libraries},
        "worlds": f"{WORLD_VERSION}{salt_mark(salt)}",
        "records": str(RECORD_VERSION),
    }
