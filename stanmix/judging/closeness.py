"""How close two sets of draws are, by their distribution functions, and what of that is chance."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.diagnostics import independent_draws
from stanmix.named_draws import numbers

Array = NDArray[np.float64]

Functions = list[tuple[Array, Array]]
"""Distribution functions of numbers in two sets of draws, each at the draws of both."""

MEAN_KS = 0.869
"""Mean of the largest difference of two distribution functions that are one, by its scale."""


def distance(a: xr.Dataset, b: xr.Dataset, weights: Array | None = None) -> float:
    """The mean over all numbers of the largest difference of their distribution functions.

    Parameters
    ----------
    a, b
        Draws of the same variables.
    weights
        Of the draws of `a`, chain after chain, which sum to 1; all alike if not given.
    """
    return mean_gap(functions(a, b, weights))


def mean_gap(found: Functions) -> float:
    """The mean of the largest differences of distribution functions."""
    return float(np.mean([np.abs(x - y).max() for x, y in found] or [0.0]))


def functions(a: xr.Dataset, b: xr.Dataset, weights: Array | None = None) -> Functions:
    """The distribution functions of all numbers that vary, each at the draws of both."""
    ours, theirs = numbers(a), numbers(b)
    found = []
    for name, values in ours.items():
        x, y = values.ravel(), np.sort(theirs[name].ravel())
        if np.ptp(x) == 0:
            continue
        order = np.argsort(x)
        own = np.full(len(x), 1 / len(x)) if weights is None else weights[order]
        at = np.concatenate([x[order], y])
        first = np.concatenate([[0.0], np.cumsum(own)])[np.searchsorted(x[order], at, "right")]
        found.append((first, np.searchsorted(y, at, "right") / len(y)))
    return found


def by_chance(*worth: float) -> float:
    """The mean distance of draws of one distribution that are worth so many independent ones."""
    return float(MEAN_KS * np.sqrt(sum(1 / w for w in worth)))


def worth(draws: xr.Dataset) -> float:
    """How many independent draws some draws are worth."""
    return independent_draws(np.stack(list(numbers(draws).values()), axis=-1))
