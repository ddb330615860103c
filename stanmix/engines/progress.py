"""Progress of running chains: bars for people, and what the samplers print as calls."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout

from stanmix.engines.base import Progress

_LINE = re.compile(r"Chain \[(\d+)\] Iteration: +(\d+) / \d+ \[ *\d+%\] +\((Warmup|Sampling)\)")


@contextmanager
def bars(chains: int, iterations: int) -> Iterator[Progress | None]:
    """A progress bar per chain on standard error; None, and silence, if that is no terminal.

    Parameters
    ----------
    chains
        Number of chains.
    iterations
        Iterations of each, warmup included.

    Yields
    ------
    Progress or None
        To be handed to `Engine.sample`.
    """
    if not sys.stderr.isatty():
        yield None
        return

    from tqdm import tqdm

    with ExitStack() as stack:
        shown = [
            stack.enter_context(tqdm(total=iterations, desc=f"chain {chain + 1}", position=chain))
            for chain in range(chains)
        ]

        def update(chain: int, done: int, warming: bool) -> None:
            bar = shown[chain]
            bar.set_postfix_str("warmup" if warming else "sampling", refresh=False)
            bar.update(done - bar.n)

        yield update


@contextmanager
def bar(total: int, done: int, what: str) -> Iterator[Callable[[], None]]:
    """One progress bar on standard error, with the time left; silence if that is no terminal.

    Parameters
    ----------
    total, done
        How many there are, and how many of them are done before.
    what
        What they are.

    Yields
    ------
    callable
        To be called when one more is done.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return

    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc=what) as shown:

        def advance() -> None:
            shown.update()

        yield advance


def tell(line: str) -> None:
    """Say on standard error what takes long; silence if that is no terminal."""
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def stride(iterations: int) -> int:
    """Iterations between two reports of a chain, so that there are about a hundred."""
    return max(1, iterations // 100)


@contextmanager
def heard(progress: Progress | None) -> Iterator[None]:
    """Call `progress` for the lines that the samplers print meanwhile, and show nothing.

    Printing is the only public way in which stanli and cmdstanpy tell how far a chain is. With
    None nothing is captured: the sampler is then told to be silent.
    """
    if progress is None:
        yield
        return
    with redirect_stdout(_Listener(progress)):
        yield


class _Listener(io.TextIOBase):
    """A standard output on which progress lines become calls, and all else is dropped.

    Chains print from their own threads, but `print` hands over the text of a line in one piece.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        if line := _LINE.search(text):
            chain, done, phase = line.groups()
            self._progress(int(chain) - 1, int(done), phase == "Warmup")
        return len(text)
