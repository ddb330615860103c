"""Mixtures: components of independent rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.checks import check_log_omega, check_vector, check_vectors
from stanmix.latent.logs import log, log_sum_exp, normalised, quiet
from stanmix.latent.random import NO_STATE, sample_log

Array = NDArray[np.float64]


def responsibility(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Probability of each component given its row, p(z_n = k | y_n).

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in component k.
    weights : array_like, shape (..., K) or (..., N, K)
        Mixture proportions, of all rows or of each.

    Returns
    -------
    ndarray, shape (..., N, K)
        Sums to one over components; NaN in a row that no component with a weight can produce.

    Raises
    ------
    ValueError
        If `log_omega` holds NaN or +inf, a weight is negative or NaN, or the shapes disagree.

    Notes
    -----
    Bayes' rule on logs; McLachlan & Peel (2000), chapter 1.

    Examples
    --------
    >>> log_omega = np.log([[0.2, 0.8], [0.5, 0.5]])
    >>> responsibility(log_omega, [0.5, 0.5]).round(3)
    array([[0.2, 0.8],
           [0.5, 0.5]])
    """
    return normalised(_log_joint(log_omega, weights))


def mixture_log_density(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Log density of each row under the mixture, the component summed out.

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in component k.
    weights : array_like, shape (..., K) or (..., N, K)
        Mixture proportions, of all rows or of each.

    Returns
    -------
    ndarray, shape (..., N)
        log sum_k weights_k omega_nk; -inf in a row that no component with a weight can produce.

    Raises
    ------
    ValueError
        If `log_omega` holds NaN or +inf, a weight is negative or NaN, or the shapes disagree.

    Notes
    -----
    McLachlan & Peel (2000), chapter 1.

    Examples
    --------
    >>> np.exp(mixture_log_density(np.log([[0.2, 0.8]]), [0.5, 0.5])).round(3)
    array([0.5])
    """
    with quiet():
        return log_sum_exp(_log_joint(log_omega, weights), axis=-1)


def sample_components(
    rng: np.random.Generator, log_omega: ArrayLike, weights: ArrayLike
) -> NDArray[np.int64]:
    """A component of each row for every draw, drawn from p(z_n | y_n).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    log_omega, weights
        As in `responsibility`.

    Returns
    -------
    ndarray of int, shape (..., N)
        Components, counted from 0; -1 in a row that no component with a weight can produce.

    Raises
    ------
    ValueError
        As `responsibility`.

    Examples
    --------
    >>> sample_components(np.random.default_rng(1), [[0.0, -np.inf]], [0.5, 0.5])
    array([0])
    """
    log_joint = np.moveaxis(_log_joint(log_omega, weights), -1, 0)
    with quiet():
        chosen = sample_log(rng, log_joint)
    return np.where(np.max(log_joint, axis=0) == -np.inf, NO_STATE, chosen)


def _log_joint(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Log of weights_k omega_nk, (..., N, K)."""
    densities = check_log_omega(log_omega)
    n_rows, n_states = densities.shape[-2:]
    if np.ndim(weights) < densities.ndim:
        return densities + log(check_vector(weights, n_states, "weights"))[..., None, :]
    return densities + log(check_vectors(weights, (n_rows, n_states), "weights"))
