"""Things built once and kept: executables, and whatever else takes long to make.

What is built is named by a hash of all it depends on, so it is never changed and never stale.
Several processes may want it at once: one builds, the others wait. It is built in a folder of its
own and moved into place when complete, so a build that failed or was killed is never seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stanmix.errors import EngineError, Problem

KINDS = ("homes", "programs")
"""What is kept: homes of CmdStan, and executables of programs."""


@dataclass(frozen=True)
class Entry:
    """A thing in the cache: its kind, and its folder, which is named by its key."""

    kind: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes that it takes; what it only links to is not counted."""
        files = (Path(folder, name) for folder, _, names in os.walk(self.path) for name in names)
        return sum(file.lstat().st_size for file in files)


def folder() -> Path:
    """The cache: the environment variable `STANMIX_CACHE`, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("STANMIX_CACHE") or platformdirs.user_cache_dir("stanmix")).resolve()


def key(*parts: str) -> str:
    """A name for what depends on `parts`: 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:{part}".encode())
    return whole.hexdigest()


def obtain(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of a thing in the cache; build the thing if it is not there.

    Parameters
    ----------
    kind
        Which sort of things it belongs to: a folder of the cache.
    key
        Its name, which stands for all it depends on.
    build
        Fills an empty folder, and raises if it cannot. The folder is then moved: what is in it
        must not hold its own path.

    Raises
    ------
    EngineError
        The cache cannot be written.
    """
    place = folder() / kind / key
    if place.is_dir():
        return place

    with _locked(kind, key):
        if not place.is_dir():
            _publish(place, build)
    return place


@contextmanager
def written(kind: str) -> Iterator[Path]:
    """A folder of the cache, which exists, while something is written to it.

    Raises
    ------
    EngineError
        It cannot be written.
    """
    place = folder() / kind
    try:
        place.mkdir(parents=True, exist_ok=True)
        yield place
    except OSError as error:
        raise EngineError(
            Problem(
                f"The cache `{place}` cannot be written: {error.strerror or error}.",
                hint="set the environment variable STANMIX_CACHE to a folder with free space.",
            )
        ) from error


@contextmanager
def _locked(kind: str, key: str) -> Iterator[None]:
    """Keep other processes from building, or removing, a thing."""
    from filelock import FileLock

    with ExitStack() as held:
        with written(kind) as place:
            held.enter_context(FileLock(place / f"{key}.lock"))
        yield


def entries() -> list[Entry]:
    """All things in the cache, by kind, the oldest first."""
    found = []
    for kind in KINDS:
        places = [p for p in (folder() / kind).glob("*") if is_key(p.name)]
        found += [Entry(kind, p) for p in sorted(places, key=lambda p: p.stat().st_mtime)]
    return found


def is_key(name: str) -> bool:
    """Whether `name` can be the name of a thing, not of its lock or its draft."""
    return re.fullmatch("[0-9a-f]{64}", name) is not None


def remove(entry: Entry) -> None:
    """Remove a thing from the cache, at once for whoever looks for it.

    Raises
    ------
    EngineError
        The cache cannot be written.
    """
    with _locked(entry.kind, entry.path.name), written(entry.kind):
        _sweep(entry.path)
        if entry.path.is_dir():
            entry.path.rename(_draft(entry.path) / entry.path.name)
            _sweep(entry.path)


def clear(kind: str | None = None) -> None:
    """Remove all things, or those of one kind, and what killed builds have left."""
    for entry in entries():
        if kind in (None, entry.kind):
            remove(entry)
    sweep()


def sweep() -> None:
    """Remove what killed builds have left."""
    for kind in KINDS:
        for draft in (folder() / kind).glob("*.draft-*"):
            place = draft.with_name(draft.name.partition(".")[0])
            with _locked(kind, place.name):
                _sweep(place)


def _publish(place: Path, build: Callable[[Path], None]) -> None:
    """Build a thing and move it to `place`; the caller holds its lock."""
    with written(place.parent.name):
        _sweep(place)
        draft = _draft(place)
    try:
        build(draft)
        with written(place.parent.name):
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(place: Path) -> Path:
    """A new folder for a thing.

    Never the same twice: the compiler of a killed build may still be writing to the last.
    """
    return Path(tempfile.mkdtemp(prefix=f"{place.name}.draft-", dir=place.parent))


def _sweep(place: Path) -> None:
    """Remove the drafts of a thing; the caller holds its lock."""
    for abandoned in place.parent.glob(f"{place.name}.draft-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
