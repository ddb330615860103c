"""Two sets of draws of the same numbers, far enough from each other to be independent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stanmix.diagnostics import independent_draws
from stanmix.errors import DataError, listing
from stanmix.judging.matching import FEWEST, Pair, Sample, matched
from stanmix.named_draws import Source

Array = NDArray[np.float64]

INTERLEAVED = 32
"""Most chains whose draws may alternate in one sequence."""

SURE = 5.0
"""Standard errors from which a correlation is one that shows so: many are looked at."""


SPARE = 0.1
"""By how much more draws may be, as a share of what they are worth."""


class DependentDraws(DataError):
    """Draws are worth too few independent ones to say anything."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Two sets of about independent draws of the same numbers.

    Parameters
    ----------
    reference, candidate
        The draws.
    ess
        How many independent ones each set was worth.
    dropped
        Numbers that were left out, since they follow from others.
    notes
        What was done to the draws before: sentences.
    """

    reference: Sample
    candidate: Sample
    ess: tuple[float, float]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many draws of each can be compared."""
        return min(len(self.reference), len(self.candidate))

    def evenly(self, most: int | None = None) -> tuple[Array, Array]:
        """As many draws of both, `most` at most: (draw, number)."""
        count = self.n if most is None else min(self.n, most)
        return evenly(self.reference, count), evenly(self.candidate, count)


def counted(n: int, ess: tuple[float, float], dropped: Sequence[str]) -> str:
    """How many draws were compared, what all were worth, and what was left out: a line."""
    line = f"{n} draws of each; worth {ess[0]:.0f} and {ess[1]:.0f} independent ones"
    if not dropped:
        return line
    follow = "follows" if len(dropped) == 1 else "follow"
    return f"{line}; without {listing(dropped)}, which {follow} from the others"


def compared(a: Source, b: Source, variables: str | Iterable[str] | None) -> Compared:
    """Two sets of draws as `matched` matches them, thinned.

    Raises
    ------
    DataError
        As in `matched`.
    DependentDraws
        Draws are worth too few independent ones.
    """
    return compared_pair(matched(a, b, variables))


def compared_pair(pair: Pair) -> Compared:
    """Draws that are matched, thinned.

    Raises
    ------
    DependentDraws
        Draws are worth too few independent ones.
    """
    first, ess_a = _independent(pair.reference)
    second, ess_b = _independent(pair.candidate)
    return Compared(first, second, (ess_a, ess_b), pair.dropped, pair.notes)


def _independent(sample: Sample) -> tuple[Sample, float]:
    """Draws as far from each other as it takes; and how many independent ones all are worth."""
    values = unravelled(sample.values)
    worth = independent_draws(values)
    kept = Sample(sample.names, thinned(values, worth))
    if len(kept) < FEWEST:
        raise DependentDraws(
            f"{len(sample)} draws are worth {worth:.0f} independent ones, so that {len(kept)} are "
            f"compared, and at least {FEWEST} are needed: they hang together, or chains are in "
            "different places."
        )
    return kept, worth


def scaled(first: Array, second: Array, *, by: Array) -> Array:
    """Draws of both (draw, number), one after the other, on the scale of some."""
    spread = by.std(axis=0)
    # Thinned, a number may be left with one value.
    both = np.concatenate([first, second]) - by.mean(axis=0)
    return np.asarray(both / np.where(spread > 0, spread, 1.0))


def unravelled(values: Array) -> Array:
    """Draws (chain, draw, number) with chains that alternate in one sequence side by side.

    Of such draws not the next is correlated, but the next but three, say.
    """
    chains, draws = values.shape[:2]
    moved = values - values.mean(axis=(0, 1))
    moved = moved / moved.std(axis=(0, 1))
    for lag in range(1, min(INTERLEAVED, draws // 10) + 1):
        correlation = (moved[:, lag:] * moved[:, :-lag]).mean(axis=(0, 1)).max()
        if correlation > SURE / np.sqrt(chains * draws):
            length = draws // lag
            parts = values[:, : lag * length].reshape(chains, length, lag, -1)
            return parts.swapaxes(1, 2).reshape(chains * lag, length, -1)
    return values


def thinned(values: Array, worth: float) -> Array:
    """Draws (chain, draw, number), not many more than they are worth, evenly spread."""
    step = max(1, int(np.ceil(values.shape[0] * values.shape[1] / worth - SPARE)))
    return values[:, ::step]


def evenly(sample: Sample, count: int) -> Array:
    """So many draws (draw, number), evenly spread over all chains."""
    chains, draws = sample.values.shape[:2]
    # One of each chain after the other, so that none is left out.
    mixed = sample.values.swapaxes(0, 1).reshape(chains * draws, -1)
    return np.asarray(mixed[np.linspace(0, chains * draws - 1, count).round().astype(np.int64)])
