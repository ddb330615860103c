"""A home of CmdStan without a download of CmdStan, from the wheel `httpstan`.

The wheel carries Stan's compiler, headers and libraries; `stan/cmdline` adds the makefile and the
command line that it lacks. A home links to the wheel, and holds what all programs share: a
precompiled header and the objects of the command line. cmdstanpy takes it for CmdStan's own; of
the methods it lacks `diagnose`, and of the samplers the static one.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from stanmix.engines import cache, make
from stanmix.errors import EngineError, Problem
from stanmix.program import resources

Say = Callable[[str], None]
"""Called with a line that tells how far a build is."""

EXTRAS = ("laplace", "pathfinder", "variational")
"""Methods that few programs need. They are compiled when a program first asks for them."""


def find_wheel() -> Path | None:
    """The folder of the installed package `httpstan`, or None. The package is not imported."""
    spec = find_spec("httpstan")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).resolve()


def home(extras: Sequence[str] = (), say: Say | None = None, jobs: int | None = None) -> Path:
    """A home of CmdStan in the cache, built if it is not there.

    Parameters
    ----------
    extras
        Which of `EXTRAS` to compile now; the others are when a program first asks for them.
    say
        Told how far the build is; None for standard error.
    jobs
        Compilers at the same time; None for as many as processors and memory allow.

    Raises
    ------
    EngineError
        There is no wheel, no compiler or no make, or they do not work.
    """
    wheel = _require_wheel()
    say = say or _print
    place = cache.obtain("homes", _key(wheel), partial(_build, wheel, say, jobs))
    if extras:
        _make(place, extras, say, jobs)
    return place


def built() -> Path | None:
    """The home that `home` would return, if it need not be built."""
    wheel = find_wheel()
    if wheel is None or shutil.which(_compiler()[0]) is None:
        return None
    place = cache.folder() / "homes" / _key(wheel)
    return place if place.is_dir() else None


def remove() -> None:
    """Remove all homes from the cache: also those of other environments."""
    cache.clear("homes")


def _require_wheel() -> Path:
    """The folder of the wheel, if there is all that a build needs."""
    wheel = find_wheel()
    if wheel is None:
        raise EngineError(
            Problem(
                "CmdStan cannot be built: the package `httpstan` is not installed.",
                hint="run `pip install 'stanmix[toolchain]'`.",
            )
        )
    for tool in (_compiler()[0], make.maker()):
        if shutil.which(tool) is None:
            raise EngineError(
                Problem(f"CmdStan cannot be built: `{tool}` is missing.", hint=make.TOOLS)
            )
    return wheel


def _compiler() -> list[str]:
    """The command of the C++ compiler that make will use."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _key(wheel: Path) -> str:
    """What a home depends on. Programs find their library at the place of the wheel."""
    sources = sorted(resources.folder("stan").joinpath("cmdline").iterdir(), key=lambda f: f.name)
    return cache.key(
        str(wheel),
        version("httpstan"),
        platform.machine(),
        *_compiler(),
        _compiler_version(),
        *(os.environ.get(flag, "") for flag in make.FLAGS),
        *(source.read_text(encoding="utf-8") for source in sources),
    )


def _compiler_version() -> str:
    run = subprocess.run(
        [*_compiler(), "--version"], capture_output=True, encoding="utf-8", errors="replace"
    )
    return run.stdout.partition("\n")[0]


def _build(wheel: Path, say: Say, jobs: int | None, folder: Path) -> None:
    """Fill `folder` with a home."""
    stan = _stan_version(wheel)
    say(
        f"Building CmdStan {stan} from httpstan {version('httpstan')}. This takes about two "
        "minutes, once; programs then compile in less than half of one."
    )
    started = time.monotonic()
    _sweep(folder.parent)
    with cache.written("homes"):
        (folder / "wheel").symlink_to(wheel)
        (folder / "bin").mkdir()
        (folder / "bin" / "stanc").symlink_to("../wheel/stanc")
        (folder / "cmdline").mkdir()
        for source in resources.folder("stan").joinpath("cmdline").iterdir():
            (folder / "cmdline" / source.name).write_bytes(source.read_bytes())
        # cmdstanpy looks for the first line.
        (folder / "makefile").write_text(
            f"CMDSTAN_VERSION := {stan}\n# httpstan {version('httpstan')}\n\n"
            "include cmdline/makefile\n",
            encoding="utf-8",
        )
    _make(folder, (), say, jobs)
    say(f"CmdStan is ready, after {time.monotonic() - started:.0f} s.")


def _sweep(homes: Path) -> None:
    """Remove homes whose wheel is gone; each takes most of a gigabyte."""
    for home in homes.iterdir():
        if (home / "wheel").is_symlink() and not (home / "wheel").exists():
            shutil.rmtree(home, ignore_errors=True)


def _stan_version(wheel: Path) -> str:
    """Version of Stan in the wheel."""
    text = (wheel / "include/stan/version.hpp").read_text(encoding="utf-8")
    return ".".join(re.findall(r"^#define STAN_(?:MAJOR|MINOR|PATCH) (\d+)", text, re.MULTILINE))


def _make(folder: Path, extras: Sequence[str], say: Say, jobs: int | None) -> None:
    """Compile what programs share, and tell of every piece of it."""

    def said(line: str) -> None:
        if line.startswith("Compiling "):
            say("  " + line.strip())

    with make.compilers(jobs or make.most_compilers()) as count:
        goals = [f"-j{count}", "build", f"EXTRAS={' '.join(extras)}"]
        make.run(folder, goals, "CmdStan could not be built", said)


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
