"""A home of CmdStan without a download of CmdStan, from the wheel `httpstan`.

The wheel carries Stan's compiler, headers and libraries; `stan/cmdline` adds the makefile and the
command line that it lacks. A home links to the wheel, and holds what all programs share: a
precompiled header and the objects of the command line. cmdstanpy cannot tell it from CmdStan's.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent

from stanmix.engines import cache
from stanmix.errors import EngineError, Problem
from stanmix.program import resources

Say = Callable[[str], None]
"""Called with a line that tells how far a build is."""

EXTRAS = ("laplace", "pathfinder", "variational")
"""Methods that few programs need. They are compiled when a program first asks for them."""

_FLAGS = ("CPPFLAGS", "CXXFLAGS", "LDFLAGS", "O")
"""Variables of the environment that make hands to the compiler."""

_OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""What make tells a make that it starts; none of it is meant for ours when a make started us."""

_COMPILER_MEMORY = 2 << 30
"""Bytes of memory that a compiler is granted; it takes three quarters of them."""

_TOOLS = "install a C++ compiler and make; on Debian and Ubuntu: `apt install g++ make`."


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
        Compilers at the same time; None for `most_jobs()`.

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


def most_jobs() -> int:
    """How many compilers may run at the same time: as processors and memory allow."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return max(1, min(processors, _free_memory() // _COMPILER_MEMORY))


def origin(home: Path) -> str | None:
    """Which wheel a home of CmdStan is from (`httpstan 4.13.0`); None for an installed one."""
    found = re.search(r"^# (httpstan \S+)$", (home / "makefile").read_text(), re.MULTILINE)
    return found[1] if found else None


def remove() -> None:
    """Remove all homes from the cache: also those of other environments."""
    shutil.rmtree(cache.folder() / "homes", ignore_errors=True)


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
    for tool in (_compiler()[0], _maker()):
        if shutil.which(tool) is None:
            raise EngineError(
                Problem(f"CmdStan cannot be built: `{tool}` is missing.", hint=_TOOLS)
            )
    return wheel


def _compiler() -> list[str]:
    """The command of the C++ compiler that make will use."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _maker() -> str:
    return os.environ.get("MAKE") or "make"


def _key(wheel: Path) -> str:
    """What a home depends on. Programs find their library at the place of the wheel."""
    sources = sorted(resources.folder("stan").joinpath("cmdline").iterdir(), key=lambda f: f.name)
    return cache.key(
        str(wheel),
        version("httpstan"),
        platform.machine(),
        *_compiler(),
        _compiler_version(),
        *(os.environ.get(flag, "") for flag in _FLAGS),
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
    command = [_maker(), f"-j{jobs or most_jobs()}", "build", f"EXTRAS={' '.join(extras)}"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in _OUTER_MAKE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        console = []
        try:
            for line in run.stdout:
                console.append(line)
                if line.startswith("Compiling "):
                    say("  " + line.strip())
        except BaseException:
            os.killpg(run.pid, signal.SIGTERM)
            raise
    if run.returncode != 0:
        said = indent(first_error("".join(console)), "    ")
        raise EngineError(f"CmdStan could not be built:\n\n{said}")


def _free_memory() -> int:
    """Bytes of memory that programs can have."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        found = None
    return int(found[1]) << 10 if found else 0


def first_error(console: str) -> str:
    """The first error of a compiler; the end of what it printed if none can be made out."""
    lines = [line for line in console.splitlines() if line.strip() and "make: ***" not in line]
    found = (i for i, line in enumerate(lines) if re.search(r"\berror( in|:)", line, re.IGNORECASE))
    return "\n".join(lines[next(found, -3) :][:12])


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
