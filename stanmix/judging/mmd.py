"""The maximum mean discrepancy: how far apart two distributions are, by kernels.

References
----------
Gretton, A., Borgwardt, K. M., Rasch, M. J., Schoelkopf, B., & Smola, A. (2012). A kernel two-sample
test. *Journal of Machine Learning Research*, 13, 723-773.

Phipson, B., & Smyth, G. K. (2010). Permutation p-values should never be zero. *Statistical
Applications in Genetics and Molecular Biology*, 9, 39.

Schmitt, M., Buerkner, P.-C., Koethe, U., & Radev, S. T. (2023). Detecting model misspecification in
amortized Bayesian inference with neural networks. *German Conference on Pattern Recognition*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from stanmix.errors import require_count
from stanmix.judging.compared import Compared, compared, counted, scaled
from stanmix.named_draws import Source

Array = NDArray[np.float64]

MOST = 2000
"""Most draws of each set: the kernel of all pairs is held in memory."""

WIDEST = 4.0
"""Width of the widest kernel, by the median distance; each of the others is half as wide."""

KERNELS = 5
"""How many there are, of which the mean is taken."""

FEWEST = 1000
"""Fewest permutations."""

AT_ONCE = 250
"""Permutations worked out together."""


@dataclass(frozen=True, repr=False, eq=False)
class MMD:
    """What a test by the maximum mean discrepancy found.

    Parameters
    ----------
    statistic
        The squared discrepancy, estimated without bias: about 0, and perhaps below it, where
        distributions agree.
    p_value
        The share of permutations of the draws with one as large.
    n
        Draws of each set that were compared.
    ess
        How many independent draws each set was worth.
    permutations
        How many there were.
    dropped
        Numbers that were left out, since they follow from others.
    notes
        What was done to the draws before: sentences.
    """

    statistic: float
    p_value: float
    n: int
    ess: tuple[float, float]
    permutations: int
    dropped: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [
            f"Squared MMD {self.statistic:.4f} (Gaussian kernels, unbiased); p = "
            f"{self.p_value:.2g} by {self.permutations} permutations",
            counted(self.n, self.ess, self.dropped),
        ]
        return "\n".join([*lines, *self.notes])


def mmd(
    a: Source,
    b: Source,
    *,
    variables: str | Iterable[str] | None = None,
    permutations: int = 1000,
    seed: int = 1,
) -> MMD:
    """The maximum mean discrepancy of two sets of draws, and a test by permutations.

    The kernel is the mean of Gaussian ones of a quarter of to four times the median distance, on
    the scale of the reference. Names and labels are made to agree as in `c2st`, and draws are
    thinned until they are about independent: permutations know of nothing else.

    Parameters
    ----------
    a, b
        The reference and what is judged, as in `c2st`.
    variables
        What is compared, as in `c2st`.
    permutations
        How many, from 1000 on.
    seed
        Seed of the permutations.

    Returns
    -------
    MMD
        `statistic`, the squared discrepancy; and `p_value`.

    Raises
    ------
    DataError
        As in `c2st`.
    SpecError
        `permutations` is no whole number from 1000 on.

    Examples
    --------
    >>> import numpy as np
    >>> import stanmix as sm
    >>> a, b = np.random.default_rng(1).normal(size=(2, 300, 2))
    >>> sm.mmd({"x": a}, {"x": b}).p_value > 0.05
    True
    >>> sm.mmd({"x": a}, {"x": b + 0.5}).p_value < 0.01
    True
    """
    require_count("permutations", permutations, FEWEST)
    require_count("seed", seed, 0, 2**32 - 1)
    return discrepancy(compared(a, b, variables), permutations=permutations, seed=seed)


def discrepancy(pair: Compared, *, permutations: int = 1000, seed: int = 1) -> MMD:
    """The discrepancy of draws that are matched and independent, and its test; see `mmd`."""
    x, y = pair.evenly(MOST)
    n = len(x)
    kernel = gaussian(scaled(x, y, by=x))
    rng = np.random.default_rng(seed)
    own = np.repeat([1.0, 0.0], n)
    statistic = float(_unbiased(kernel, own[:, None])[0])
    as_large = 0
    for start in range(0, permutations, AT_ONCE):
        count = min(AT_ONCE, permutations - start)
        permuted = rng.permuted(np.broadcast_to(own, (count, 2 * n)), axis=1).T
        as_large += int((_unbiased(kernel, permuted) >= statistic).sum())
    return MMD(
        statistic=statistic,
        # The draws as they are, are one of the permutations.
        p_value=(1 + as_large) / (1 + permutations),
        n=n,
        ess=pair.ess,
        permutations=permutations,
        dropped=pair.dropped,
        notes=pair.notes,
    )


def gaussian(points: Array) -> Array:
    """The kernel of each two points, (point, point), with 0 on the diagonal.

    A point and itself are no pair: an estimate without bias leaves them out.

    Parameters
    ----------
    points
        (point, number).
    """
    squared = cdist(points, points, "sqeuclidean")
    pairs = squared[np.triu_indices(len(points), 1)]
    # Of draws of few values most are the same.
    median = float(np.median(pairs[pairs > 0])) if pairs.any() else 1.0
    # Each kernel is half as wide as the one before it: the fourth power of that.
    one = np.exp(-squared / (2 * WIDEST**2 * median))
    kernel = one.copy()
    for _ in range(KERNELS - 1):
        one **= 2
        one **= 2
        kernel += one
    np.fill_diagonal(kernel, 0.0)
    return np.asarray(kernel / KERNELS)


def _unbiased(kernel: Array, of_first: Array) -> Array:
    """The squared discrepancy, for each way to split points into two sets of one size.

    Parameters
    ----------
    kernel
        (point, point).
    of_first
        1 for points of the first set, 0 for others: (point, split).
    """
    n = len(kernel) // 2
    with_first = kernel @ of_first
    total = kernel.sum(axis=0) @ of_first
    within_first = (of_first * with_first).sum(axis=0)
    across = total - within_first
    within_second = kernel.sum() - within_first - 2 * across
    return np.asarray((within_first + within_second) / (n * (n - 1)) - 2 * across / n**2)
