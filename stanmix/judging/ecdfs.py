"""Where distribution functions of two sets of draws differ, and how far they would by chance.

References
----------
Saeilynoja, T., Buerkner, P.-C., & Vehtari, A. (2022). Graphical test for discrete uniformity and
its applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and
Computing*, 32, 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.judging.compared import Compared

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

LEVEL = 0.05
"""The probability that any line leaves its band where both sets are of one distribution."""

PLACES = 200
"""Most places at which distribution functions are compared."""

PERMUTATIONS = 1000
"""How many make the band."""

AT_ONCE = 250
"""Permutations worked out together."""


@dataclass(frozen=True, eq=False)
class _Ranks:
    """One number of both sets.

    Parameters
    ----------
    order
        The draws of both, one set after the other, from the least to the largest.
    below
        At each place, how many of them there are up to it: more than none, less than all.
    """

    order: Counts
    below: Counts

    def of_second(self, labels: NDArray[np.int8]) -> Counts:
        """At each place, how many draws of the second set there are: (split, place).

        Parameters
        ----------
        labels
            1 for draws of the second set, 0 for others: (split, draw).
        """
        starts = np.append(0, self.below)[:-1]
        own = labels[:, self.order[: self.below[-1]]]
        return np.asarray(np.add.reduceat(own, starts, axis=1, dtype=np.int64).cumsum(axis=1))


def differences(pair: Compared, names: Sequence[str], seed: int = 1) -> pd.DataFrame:
    """The differences of the distribution functions of some numbers, and their band.

    Draws are given to the two sets at random, as often as it takes to know how far the lines of all
    these numbers go together. So the band holds for sets of their size, for numbers that depend on
    each other, and for draws of which some are the same. It is as many standard deviations wide
    everywhere, so that it looks at tails as closely as at the middle (Saeilynoja et al. 2022).

    Parameters
    ----------
    pair
        The draws.
    names
        Some of their numbers.
    seed
        Seed of the permutations.

    Returns
    -------
    DataFrame
        By `number`: at places `at`, the share of all draws of both that lie below, how much is
        `off`, the share of the second set below less that of the first; and the `limit`, beyond
        which, on either side, any line of these goes with a probability of 5 % by chance.
    """
    columns = [pair.reference.names.index(name) for name in names]
    x, y = (values[:, columns] for values in pair.evenly())
    n = len(x)
    ranked = {
        name: _ranks(both) for name, both in zip(names, np.concatenate([x, y]).T, strict=True)
    }
    labels = np.repeat(np.array([0, 1], np.int8), n)
    rng = np.random.default_rng(seed)
    furthest = []
    for _ in range(PERMUTATIONS // AT_ONCE):
        permuted = rng.permuted(np.broadcast_to(labels, (AT_ONCE, 2 * n)), axis=1)
        own = [np.abs(_off(r, permuted)) / _sd(r.below, n) for r in ranked.values()]
        furthest.append(np.max([each.max(axis=1) for each in own], axis=0))
    width = np.quantile(np.concatenate(furthest), 1 - LEVEL)
    parts = []
    for name, ranks in ranked.items():
        below = np.concatenate([[0], ranks.below, [2 * n]])
        off = np.concatenate([[0.0], _off(ranks, labels[None])[0], [0.0]])
        line = {"at": below / (2 * n), "off": off, "limit": width * _sd(below, n)}
        parts.append(pd.DataFrame(line).assign(number=name))
    return pd.concat(parts, ignore_index=True)


def _ranks(values: Array) -> _Ranks:
    """Places as evenly spread over the draws as those that are the same allow."""
    order = np.argsort(values)
    ordered = values[order]
    count = min(PLACES, len(values) - 1)
    wanted = np.linspace(0, len(values), count + 2).round().astype(np.int64)[1:-1]
    below = np.unique(np.searchsorted(ordered, ordered[wanted - 1], side="right"))
    return _Ranks(order, below[below < len(values)])


def _off(ranks: _Ranks, labels: NDArray[np.int8]) -> Array:
    """The share of the second set less that of the first, (split, place)."""
    n = labels.shape[1] // 2
    return np.asarray((2 * ranks.of_second(labels) - ranks.below) / n)


def _sd(below: Counts, n: int) -> Array:
    """The standard deviation of this difference by chance: the number is hypergeometric."""
    return np.asarray(np.sqrt(below * (2 * n - below) / (2 * n - 1)) / n)
