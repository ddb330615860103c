"""The cache as one file, to be carried to another machine.

Things in the cache are named by all that they depend on, places included. So what is brought to a
machine where anything differs is never found there, and built anew.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from stanmix.engines import cache
from stanmix.errors import EngineError

_LINKS = (("wheel",), ("bin", "stanc"))
"""What may be a link in a home, and nothing else."""


def pack(file: Path) -> int:
    """Write all things in the cache to a gzipped tar file; how many they are.

    Parameters
    ----------
    file
        The file; it is replaced only once the new one is complete.

    Raises
    ------
    EngineError
        The file cannot be written.
    """
    if file.is_dir():
        raise EngineError(f"`{file}` is a folder; name a file in it.")
    things, draft = cache.entries(), file.with_name(f"{file.name}.partial")
    try:
        with tarfile.open(draft, "w:gz", compresslevel=1) as tar:
            for thing in things:
                for path in _members(thing.path):
                    name = Path(thing.kind, path.relative_to(thing.path.parent)).as_posix()
                    tar.add(path, name, recursive=False)
        draft.replace(file)
    except OSError as error:
        raise EngineError(f"`{file}` cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return len(things)


def unpack(file: Path) -> int:
    """Add to the cache what is in a file that `pack` wrote and not yet there; how many things.

    The file must be trusted: executables in it are run.

    Parameters
    ----------
    file
        The file.

    Raises
    ------
    EngineError
        It cannot be read, is damaged, or is something else; or the cache cannot be written.
    """
    with _opened(file) as tar:
        things: dict[tuple[str, str], list[tarfile.TarInfo]] = {}
        members = tar.getmembers()
        # On to the end of the file, where its checksum is, before anything of it is used.
        while tar.fileobj and tar.fileobj.read(1 << 20):
            pass
        for member in members:
            if not _belongs(member):
                raise EngineError(f"`{file}` is no exported cache: it holds `{member.name}`.")
            kind, key, *_ = member.name.split("/")
            things.setdefault((kind, key), []).append(member)
        new = [thing for thing in things if not (cache.folder() / "/".join(thing)).is_dir()]
        for kind, key in new:
            cache.obtain(kind, key, partial(_fill, tar, things[kind, key]))
        return len(new)


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    """The file for reading; EngineError for whatever is wrong with it."""
    try:
        with tarfile.open(file, "r:gz") as tar:
            yield tar
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EngineError(f"`{file}` is no exported cache, or a damaged one.") from error
    except OSError as error:
        raise EngineError(f"`{file}` cannot be read: {error.strerror or error}.") from error


def _members(folder: Path) -> Iterator[Path]:
    """A folder of the cache and all that is in it, but for what a compiler is still writing."""
    yield folder
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _members(path)
        elif not re.search(r"\.(o|gch)\.\d+$", path.name):
            yield path


def _belongs(member: tarfile.TarInfo) -> bool:
    """Whether a cache holds such a thing there, so that nothing is written elsewhere."""
    kind, key, *rest = *member.name.split("/"), ""
    path = tuple(rest[:-1])
    if kind not in cache.KINDS or not cache.is_key(key) or {"", ".", ".."} & set(path):
        return False
    if kind == "homes" and path in _LINKS:
        return member.issym()
    # Some file systems do not tell upper from lower case.
    small = tuple(part.casefold() for part in path)
    in_a_link = any(small[: len(link)] == link for link in _LINKS)
    return (member.isdir() or member.isreg()) and not in_a_link


def _fill(tar: tarfile.TarFile, members: Sequence[tarfile.TarInfo], folder: Path) -> None:
    """Write a thing to `folder`, with times, since make compares them."""
    with cache.written(members[0].name.partition("/")[0]):
        for member in members:
            _extract(tar, member, folder.joinpath(*member.name.split("/")[2:]))


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member) if member.isreg() else None
    if source is not None:
        with source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        target.chmod(member.mode & 0o777)
        os.utime(target, (member.mtime, member.mtime))
    elif member.issym():
        target.symlink_to(member.linkname)
    else:
        target.mkdir(exist_ok=True)
