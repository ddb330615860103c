"""The distribution of states far from the start."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.chain import draws_first, draws_last
from stanmix.latent.checks import check_probabilities

Array = NDArray[np.float64]


def stationary(transition: ArrayLike) -> Array:
    """Distribution over states that one more transition leaves as it is.

    Parameters
    ----------
    transition : array_like, shape (..., K, K)
        Transition probabilities, constant in time, from rows to columns.

    Returns
    -------
    ndarray, shape (..., K)
        The one solution of `p = p @ transition` that sums to one. Every entry is positive.

    Raises
    ------
    ValueError
        If a chain is reducible, that is if some state cannot be reached from some other one, or
        is so within what floating point can represent; if an entry is negative or NaN; if the
        matrices are not square.

    Notes
    -----
    Gaussian elimination of one state after the other in the form of Grassmann et al. (1985). It
    subtracts nothing and never reads the diagonal, so each entry is accurate to a few rounding
    errors even where 1 - transition[k, k] would round to 0. A solver of
    `p @ (I - transition + 1) = 1` (Zucchini et al., 2016, section 1.3) loses all digits there.

    Examples
    --------
    >>> stationary([[0.8, 0.2], [0.3, 0.7]]).round(3)
    array([0.6, 0.4])
    >>> stationary([[1.0, 0.0], [0.3, 0.7]])
    Traceback (most recent call last):
    ...
    ValueError: `transition` is reducible: some states cannot be reached from others
    """
    matrix = check_probabilities(transition, "transition")
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.shape[-1] == 0:
        raise ValueError(f"`transition` must have shape (..., K, K), not {matrix.shape}")
    with np.errstate(all="ignore"):
        state = _eliminate(draws_last(matrix, 2).copy())
    # A class of states that cannot be left makes a pivot 0; one that cannot be entered, an entry.
    if not np.all(state > 0):
        raise ValueError("`transition` is reducible: some states cannot be reached from others")
    return draws_first(state, 1)


def _eliminate(moves: Array) -> Array:
    """Stationary distribution (K, draws) of `moves` (K, K, draws), which is overwritten.

    NaN or 0 somewhere if a chain is reducible.
    """
    n_states = len(moves)
    for k in range(n_states - 1, 0, -1):
        # Take state k out: a move into it becomes a move to where the chain next leaves it for.
        moves[:k, k] /= moves[k, :k].sum(axis=0)
        moves[:k, :k] += moves[:k, k][:, None] * moves[k, :k]
    state = np.ones(moves.shape[1:])
    for k in range(1, n_states):
        state[k] = np.sum(state[:k] * moves[:k, k], axis=0)
    normalised: Array = state / state.sum(axis=0)
    return normalised
