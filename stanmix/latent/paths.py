"""Paths of states: the most likely one, and paths drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.chain import Chain, chain_of, draws_first, draws_last
from stanmix.latent.logs import finite_max, quiet
from stanmix.latent.random import NO_STATE, sample_log
from stanmix.latent.recursions import forward

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def viterbi(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Integers:
    """Most likely path of states given all rows, one for every draw.

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray of int, shape (..., N)
        States, counted from 0. Among equally likely states, at the end of a series and at every
        step back from there, the lowest. -1 in every row of a series that has an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    Rabiner (1989), section III.B; Zucchini et al. (2016), section 5.4.2.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6], [0.4, 0.5]])
    >>> viterbi(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])
    array([0, 1, 1])
    """
    chain = chain_of(log_omega, initial, transition, starts)
    path = np.empty(chain.row_max.shape, dtype=np.int64)
    with quiet():
        for index, (start, stop) in enumerate(chain.series):
            path[start:stop] = _best_path(chain, chain.log_initial(index), start, stop)
    return draws_first(path, 1)


def _best_path(chain: Chain, log_initial: Array, start: int, stop: int) -> Integers:
    """Most likely path of one series, (stop - start, draws)."""
    n_states, *draws = log_initial.shape
    # Where the best path into each state came from: the one large array, hence small integers.
    origin = np.empty((stop - start, n_states, *draws), dtype=np.min_scalar_type(n_states - 1))
    score = log_initial + chain.log_relative(start)
    for t in range(start + 1, stop):
        score = score - finite_max(score, axis=0)
        moves = score[:, None] + chain.log_move(t)
        origin[t - start] = np.argmax(moves, axis=0)
        score = np.max(moves, axis=0) + chain.log_relative(t)

    path = np.empty((stop - start, *draws), dtype=np.int64)
    path[-1] = np.argmax(score, axis=0)
    for t in range(len(path) - 1, 0, -1):
        path[t - 1] = np.take_along_axis(origin[t], path[t][None], axis=0)[0]
    path[:, np.max(score, axis=0) == -np.inf] = NO_STATE
    return path


def sample_states(
    rng: np.random.Generator,
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Integers:
    """One path of states for every draw, drawn from p(z_1..T | y_1..T).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray of int, shape (..., N)
        States, counted from 0. -1 in every row of a series that has an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    Forward filtering, backward sampling: Chib (1996). The last state of a series comes from its
    filtering probabilities, each earlier one from p(z_t | z_t+1, y_1..t).

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> rng = np.random.default_rng(1)
    >>> many = np.broadcast_to(log_omega, (10_000, 2, 2))
    >>> paths = sample_states(rng, many, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])
    >>> bool(abs(paths[:, 0].mean() - 0.333) < 0.02)
    True
    """
    chain = chain_of(log_omega, initial, transition, starts)
    given_past = forward(log_omega, initial, transition, starts).log_filtering
    log_filtering = draws_last(given_past, 2)
    path = np.empty(chain.row_max.shape, dtype=np.int64)
    with quiet():
        for start, stop in chain.series:
            path[stop - 1] = sample_log(rng, log_filtering[stop - 1])
            for t in range(stop - 1, start, -1):
                log_into = np.take_along_axis(chain.log_move(t), path[t][None, None], axis=1)[:, 0]
                path[t - 1] = sample_log(rng, log_filtering[t - 1] + log_into)
            path[start:stop, np.isnan(log_filtering[stop - 1, 0])] = NO_STATE
    return draws_first(path, 1)
