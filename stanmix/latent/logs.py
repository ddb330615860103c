"""Logs of probabilities, of which some are 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOWEST = np.finfo(np.float64).min
"""Stands in for a maximum of -inf: -inf - LOWEST is -inf, where -inf - -inf would be NaN."""


def quiet() -> np.errstate:
    """Let log(0) be -inf, -inf - -inf NaN, and a vanishing exp 0, without a warning."""
    return np.errstate(divide="ignore", invalid="ignore", under="ignore")


def log(array: Array) -> Array:
    """Log, laid out in the order of its axes: of a view, numpy would keep the order in memory."""
    with quiet():
        return np.log(array, order="C")


def exp(array: Array) -> Array:
    """Exp, whose underflow is 0."""
    with quiet():
        return np.exp(array)


def finite_max(array: Array, axis: int) -> Array:
    """Maximum along an axis, which is kept, with LOWEST in place of -inf."""
    largest: Array = np.maximum(np.maximum.reduce(array, axis=axis, keepdims=True), LOWEST)
    return largest


def log_sum_exp(array: Array, axis: int) -> Array:
    """Log of the sum of exp along an axis; the sum of nothing but exp(-inf) is -inf."""
    largest = finite_max(array, axis)
    total = np.add.reduce(np.exp(array - largest), axis=axis, keepdims=True)
    return (np.log(total) + largest).squeeze(axis)


def normalised(log_joint: Array) -> Array:
    """Probabilities over the last axis from unnormalised logs; NaN where all are -inf."""
    with quiet():
        return np.exp(log_joint - log_sum_exp(log_joint, axis=-1)[..., None])
