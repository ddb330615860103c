"""Links of parameters that vary: the scales on which they are linear, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from stanmix.data import Table
from stanmix.levels import codes_of
from stanmix.spec import GroupBound, ModelSpec, Regression

Array = NDArray[np.float64]


def upper_bound(regression: Regression, spec: ModelSpec) -> float:
    """The upper end of a logit link: a number, or a constant that the model took from its data."""
    if isinstance(regression.upper, str):
        (value,) = (c.value for c in spec.constants if c.name == regression.upper)
        return float(np.asarray(value))
    return 1.0 if regression.upper is None else regression.upper


def bound_by_row(bound: GroupBound, table: Table) -> Array:
    """The upper bound in every row of some data; the least of all in a group that is new."""
    codes = codes_of(table, bound.group.column, bound.group.levels)
    return np.append(bound.values, min(bound.values))[codes]


def linked(regression: Regression, value: Array, upper: float) -> Array:
    """A parameter on the scale of its link."""
    lower = regression.lower or 0.0
    if regression.link == "identity":
        return value
    if regression.link in ("log", "softmax"):
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(value - lower))
    return np.asarray(logit((value - lower) / (upper - lower)))


def unlinked(regression: Regression, predictor: Array, upper: float | Array) -> Array:
    """A parameter from the scale of its link; unnormalised logarithms of probabilities stay."""
    lower = regression.lower or 0.0
    if regression.link in ("identity", "softmax"):
        return predictor
    if regression.link == "log":
        return np.asarray(lower + np.exp(predictor))
    return np.asarray(lower + (upper - lower) * expit(predictor))
