"""Quantiles by bisection of the numbers themselves, whatever their scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST = np.finfo(np.float64).max

LOWEST_CODE = np.int64(np.iinfo(np.int64).min)


def smallest_number(holds: Callable[[Array], NDArray[np.bool_]], size: int) -> Array:
    """The smallest double for which each of some conditions holds.

    Parameters
    ----------
    holds
        Takes a number for each condition, and says which hold. What holds at a number holds at all
        larger ones.
    size
        How many conditions there are.

    Returns
    -------
    ndarray
        Infinite where there is no such double.
    """
    low, high = np.full(size, -1.0), np.full(size, 1.0)
    while (outside := ~holds(high) & (high < LARGEST)).any():
        high[outside] = _farther(high[outside])
    while (outside := holds(low) & (low > -LARGEST)).any():
        low[outside] = -_farther(-low[outside])
    never, always = ~holds(high), holds(low)
    # As integers, doubles are in order: at most 64 halvings lie between any two.
    below, above = _code(low), _code(high)
    while (below + 1 < above).any():
        # Their sum may be no integer.
        middle = (below >> 1) + (above >> 1) + (below & above & 1)
        held = holds(_number(middle))
        below, above = np.where(held, below, middle), np.where(held, middle, above)
    found = np.where(never, np.inf, _number(above))
    return np.where(always, -np.inf, found)


def smallest_count(holds: Callable[[Array], NDArray[np.bool_]], size: int, most: float) -> Array:
    """The smallest whole number from 0 to `most` for which each of some conditions holds.

    Infinite where there is none.
    """
    low, high = np.full(size, -1.0), np.zeros(size)
    while (outside := ~holds(high) & (high < most)).any():
        low[outside], high[outside] = high[outside], np.minimum(2 * high[outside] + 1, most)
    never = ~holds(high)
    while (low + 1 < high).any():
        middle = np.floor((low + high) / 2)
        held = holds(middle)
        low, high = np.where(held, low, middle), np.where(held, middle, high)
    return np.where(never, np.inf, high)


def _farther(size: Array) -> Array:
    """Numbers with more than twice the exponent."""
    with np.errstate(over="ignore"):
        return np.minimum(2 * size**2, LARGEST)


def _code(numbers: Array) -> Integers:
    """Integers in the order of doubles, next to each other where these are."""
    bits = numbers.view(np.int64)
    return np.where(bits < 0, LOWEST_CODE - bits, bits)


def _number(codes: Integers) -> Array:
    return np.where(codes < 0, LOWEST_CODE - codes, codes).view(np.float64)
