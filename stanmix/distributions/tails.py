"""Distribution functions of mixtures of numbers, and quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.distributions.part import LARGEST
from stanmix.distributions.quantiles import smallest_count, smallest_number
from stanmix.distributions.rows import numbers, shaped
from stanmix.errors import DataError
from stanmix.latent import mixture_log_density

if TYPE_CHECKING:
    from stanmix.distributions.mixture import Mixture

Array = NDArray[np.float64]

Side = Literal["logcdf", "logsf"]
"""Up to a value, or beyond it; as references have it."""


def cdf(mixture: Mixture, x: ArrayLike) -> Array:
    """Probability of values up to `x`, of a number.

    Parameters
    ----------
    x : array_like, shape (...)
        Values; infinite ones may be among them.

    Returns
    -------
    ndarray, shape (...)
        To its relative precision in the lower tail; `survival` is so in the upper one.

    Raises
    ------
    DataError
        `x` holds what is no number.
    SpecError
        Rows are more than a number, or a family declares no distribution function.
    """
    return _probability(mixture, x, "logcdf")


def survival(mixture: Mixture, x: ArrayLike) -> Array:
    """Probability of values beyond `x`, of a number.

    Parameters
    ----------
    x : array_like, shape (...)
        Values; infinite ones may be among them.

    Returns
    -------
    ndarray, shape (...)
        To its relative precision in the upper tail.

    Raises
    ------
    DataError, SpecError
        As `cdf`.
    """
    return _probability(mixture, x, "logsf")


def quantile(mixture: Mixture, p: ArrayLike) -> Array:
    """The smallest value up to which there is at least probability `p`, of a number.

    Parameters
    ----------
    p : array_like, shape (...)
        Probabilities above 0 and below 1.

    Returns
    -------
    ndarray, shape (...)
        Found by bisection, to the last digit that `cdf` has, or `survival` above the median.
        Infinite where it is no double.

    Raises
    ------
    DataError
        `p` is not between 0 and 1.
    SpecError
        As `cdf`.
    """
    _require_cumulative(mixture)
    given = numbers("p", p)
    if not ((given > 0) & (given < 1)).all():
        raise DataError("`p` must be above 0 and below 1.")
    flat = given.ravel()
    lower = flat <= 0.5

    def reached(x: Array) -> NDArray[np.bool_]:
        held = np.empty(len(x), dtype=np.bool_)
        below = _log_tail(mixture, x[lower], "logcdf")
        beyond = _log_tail(mixture, x[~lower], "logsf")
        held[lower] = below >= np.log(flat[lower])
        held[~lower] = beyond <= np.log1p(-flat[~lower])
        return held

    if mixture.components[0].whole:
        found = smallest_count(reached, flat.size, LARGEST)
    else:
        found = smallest_number(reached, flat.size)
    return shaped(found, given.shape)


def _require_cumulative(mixture: Mixture) -> None:
    for one in mixture.components:
        one.require_cumulative()


def _probability(mixture: Mixture, x: ArrayLike, side: Side) -> Array:
    """Probability of what lies up to, or beyond, each of some values, infinite ones among them."""
    _require_cumulative(mixture)
    given = numbers("x", x, infinite=True)
    finite = np.isfinite(given)
    flat = np.where(finite, given, 0.0).ravel()
    found = np.exp(_log_tail(mixture, flat, side)).reshape(given.shape)
    all_of_it = (given > 0) == (side == "logcdf")
    return shaped(np.where(finite, found, np.where(all_of_it, 1.0, 0.0)), given.shape)


def _log_tail(mixture: Mixture, values: Array, side: Side) -> Array:
    """Log probability of what lies up to, or beyond, each of some finite values."""
    tails = [one.log_tail(values, side) for one in mixture.components]
    return np.minimum(mixture_log_density(np.stack(tails, axis=-1), mixture.weights), 0.0)
