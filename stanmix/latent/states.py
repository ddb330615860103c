"""What the recursions say about single states, and about the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.chain import _series
from stanmix.latent.checks import check_log_omega
from stanmix.latent.logs import log_sum_exp, normalised, quiet
from stanmix.latent.recursions import backward, forward

Array = NDArray[np.float64]


def filtering(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """State probabilities given the rows so far, p(z_t = k | y_1..t).

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., N, K)
        Sums to one over states; NaN from an impossible row to the end of its series.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    Zucchini et al. (2016), sections 3.2 and 5.4; Rabiner (1989), section V.A.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> filtering(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]]).round(3)
    array([[0.818, 0.182],
           [0.289, 0.711]])
    """
    return forward(log_omega, initial, transition, starts).filtering


def backward_filtering(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """State probabilities given the rows from there on, p(z_t = k | y_t..T).

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., N, K)
        Sums to one over states; NaN from the start of a series to an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    What the chain is like at t before any row is seen, times what row t and those after it say.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> backward_filtering(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]]).round(3)
    array([[0.667, 0.333],
           [0.169, 0.831]])
    """
    densities = check_log_omega(log_omega)
    unseen = forward(np.zeros_like(densities), initial, transition, starts).log_predicted
    return normalised(unseen + densities + backward(densities, transition, starts))


def log_likelihood(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """Log density of each series, all paths of states summed out.

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., S)
        One log density per series; -inf for a series with an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    Zucchini et al. (2016), section 3.2.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> transition = [[0.8, 0.2], [0.3, 0.7]]
    >>> np.exp(log_likelihood(log_omega, [0.5, 0.5], transition)).round(3)
    array([0.135])
    >>> np.exp(log_likelihood(log_omega, [0.5, 0.5], transition, starts=[0, 1])).round(3)
    array([0.55, 0.35])
    """
    log_increment = forward(log_omega, initial, transition, starts).log_increment
    series = _series(starts, log_increment.shape[-1])
    return np.stack([log_increment[..., a:b].sum(axis=-1) for a, b in series], axis=-1)


def smoothing(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """State probabilities given all rows of the series, p(z_t = k | y_1..T).

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., N, K)
        Sums to one over states; NaN in every row of a series that has an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    The filtering probability times the backward variable, normalised: Zucchini et al. (2016),
    section 5.4.1; Rabiner (1989), section III.B.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> smoothing(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]]).round(3)
    array([[0.667, 0.333],
           [0.289, 0.711]])
    """
    log_filtering = forward(log_omega, initial, transition, starts).log_filtering
    return normalised(log_filtering + backward(log_omega, transition, starts))


def log_given_others(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """Log state probabilities given all the other rows of the series, log p(z_t = k | y_-t).

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., N, K)
        Up to a constant of each row. -inf throughout, or NaN, where the other rows are impossible.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    The one-step-ahead probabilities times the backward variable; Zucchini et al. (2016), section
    5.2 (conditional distributions).

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> np.exp(log_given_others(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])).round(3)
    array([[0.222, 0.5  ],
           [0.709, 0.291]])
    """
    densities = check_log_omega(log_omega)
    with quiet():
        log_predicted = forward(densities, initial, transition, starts).log_predicted
        return log_predicted + backward(densities, transition, starts)


def log_predictive(log_omega: ArrayLike, log_state: ArrayLike) -> Array:
    """Log density of each row where its state is known with some probabilities.

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in state k.
    log_state : array_like, shape (..., N, K) or (..., 1, K)
        Log state probabilities without the row, up to a constant of each row.

    Returns
    -------
    ndarray, shape (..., N)
        -inf where no state that the row may be in can produce it, NaN where it may be in none.

    Raises
    ------
    ValueError
        If `log_omega` holds NaN or +inf.

    Examples
    --------
    >>> np.exp(log_predictive(np.log([[0.2, 0.8]]), np.log([[3.0, 1.0]]))).round(3)
    array([0.35])
    """
    densities = check_log_omega(log_omega)
    given = np.asarray(log_state, dtype=np.float64)
    with quiet():
        return log_sum_exp(given + densities, axis=-1) - log_sum_exp(given, axis=-1)


def leave_one_out(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """Log density of each row given all the others of its series, log p(y_t | y_-t).

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., N)
        log p(y) - log p(y_-t), parameters known. In a series of density zero: -inf where the
        other rows are possible, NaN where they are not.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    Zucchini et al. (2016), section 5.2 (conditional distributions). These are the terms of
    leave-one-observation-out cross-validation. The one-step-ahead terms
    `forward(..).log_increment` are not, although they sum to log p(y).

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> terms = leave_one_out(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])
    >>> np.exp(terms).round(4)
    array([0.4154, 0.2455])
    """
    densities = check_log_omega(log_omega)
    return log_predictive(densities, log_given_others(densities, initial, transition, starts))
