"""make, which compiles homes of CmdStan and the programs that run on them.

Each compiler takes 1.5 to 2 GB, and several processes may want theirs at the same time. So those
that run are counted over all processes, as far as these share the cache.
"""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import indent

from stanmix.engines import cache
from stanmix.errors import EngineError, Problem

TOOLS = "install a C++ compiler and make; on Debian and Ubuntu: `apt install g++ make`."
"""What to do where one of them is missing."""

FLAGS = ("CPPFLAGS", "CXXFLAGS", "LDFLAGS", "O")
"""Variables of the environment that make hands to the compiler."""

_MAKE = "mingw32-make" if os.name == "nt" else "make"
_OUTER = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""What make tells a make that it starts; none of it is meant for ours when a make started us."""

_OPTIONS = ("EXTRAS", "STANCFLAGS", "STAN_NO_RANGE_CHECKS", "STAN_THREADS", "USER_HEADER")
"""What makefiles would take from the environment, though what they make is not named by it."""

_LIMITS = Path("/sys/fs/cgroup")
"""Where Linux tells what a container may have."""

_COMPILER_MEMORY = 5 << 29
"""Bytes of memory that must be free for a compiler; large programs take most of them."""


def maker() -> str:
    """The command of make: `$MAKE`, or as the platform calls it."""
    return os.environ.get("MAKE") or _MAKE


def most_compilers() -> int:
    """How many compilers may run at the same time: as processors and free memory allow."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return max(1, min(processors, int(_free_memory() // _COMPILER_MEMORY)))


@contextmanager
def compilers(most: int = 1) -> Iterator[int]:
    """Places for compilers, once one is free.

    Parameters
    ----------
    most
        How many are wanted.

    Yields
    ------
    int
        How many there are: at least one.
    """
    with ExitStack() as held:
        while not (count := _take_places(held, most)):
            time.sleep(0.1)
        yield count


def _take_places(held: ExitStack, most: int) -> int:
    """Have `held` hold places that are free; how many."""
    from filelock import FileLock, Timeout

    taken = 0
    with cache.written("compilers") as folder:
        for place in range(most_compilers()):
            try:
                held.enter_context(FileLock(folder / f"{place}.lock").acquire(timeout=0))
            except Timeout:
                continue
            taken += 1
            if taken == most:
                break
    return taken


def run(
    home: Path, arguments: Sequence[str], what: str, said: Callable[[str], None] | None = None
) -> None:
    """Run make in a home of CmdStan; if interrupted, what it started is interrupted too.

    Parameters
    ----------
    home
        The folder of CmdStan.
    arguments
        Targets, options and variables.
    what
        What could not be done if it fails: `CmdStan could not be built`.
    said
        Called with every line that it prints.

    Raises
    ------
    EngineError
        make is missing, or fails: with the first error of the compiler.
    """
    console = []
    try:
        process = subprocess.Popen(
            [maker(), *arguments],
            cwd=home,
            env={k: v for k, v in os.environ.items() if k not in _OUTER + _OPTIONS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EngineError(Problem(f"`{maker()}` is missing.", hint=TOOLS)) from error
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                console.append(line)
                if said is not None:
                    said(line)
        except BaseException:
            _stop(process)
            raise
    if process.returncode != 0:
        raise EngineError(f"{what}:\n\n{indent(first_error(''.join(console)), '    ')}")


def first_error(console: str) -> str:
    """The first error of a compiler; the end of what it printed if none can be made out."""
    lines = [line for line in console.splitlines() if line.strip() and "make: ***" not in line]
    error = re.compile(r"\berror( in|:)|undefined (reference|symbol)", re.IGNORECASE)
    found = (i for i, line in enumerate(lines) if error.search(line))
    return "\n".join(lines[next(found, -3) :][:12])


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop make and the compilers that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()


def _free_memory() -> float:
    """Bytes of memory that programs can have; 0 where that is not known."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        found = None
    return min(int(found[1]) << 10, _left_of_limit()) if found else 0


def _left_of_limit() -> float:
    """Bytes that a container's limit leaves; what only caches files is given up when asked for."""
    try:
        limit = (_LIMITS / "memory.max").read_text().strip()
        used = int((_LIMITS / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)$", (_LIMITS / "memory.stat").read_text(), re.M)
    except (OSError, ValueError):
        return math.inf
    if limit == "max":
        return math.inf
    return max(0, int(limit) - used + (int(cached[1]) if cached else 0))
