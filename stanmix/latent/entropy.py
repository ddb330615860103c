"""How uncertain states are, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.chain import chain_of, draws_first, draws_last
from stanmix.latent.checks import check_probabilities
from stanmix.latent.logs import exp, log_sum_exp, normalised, quiet
from stanmix.latent.recursions import backward, forward

Array = NDArray[np.float64]


def entropy(probabilities: ArrayLike) -> Array:
    """Entropy of probabilities along the last axis.

    Parameters
    ----------
    probabilities : array_like, shape (..., K)
        Probabilities, such as responsibilities; a row of NaN stays NaN.

    Returns
    -------
    ndarray, shape (...)
        In nats: from 0, where one state is certain, to log K.

    Raises
    ------
    ValueError
        If a probability is negative.

    Examples
    --------
    >>> entropy([[1.0, 0.0], [0.5, 0.5]]).round(3)
    array([0.   , 0.693])
    """
    given = np.asarray(probabilities, dtype=np.float64)
    array = check_probabilities(given, "probabilities", used=~np.isnan(given))
    with quiet():
        # 0 log 0 is 0.
        terms = np.where(array == 0, 0.0, array * np.log(array))
    return np.asarray(np.maximum(-np.sum(terms, axis=-1), 0.0))


def path_entropy(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Array:
    """Entropy of the whole path of states of each series given its rows.

    At most the sum of the entropies of its rows, which overlook that states hang together.

    Parameters
    ----------
    log_omega, initial, transition, starts
        As in `forward`.

    Returns
    -------
    ndarray, shape (..., S)
        In nats; NaN for a series with an impossible row.

    Raises
    ------
    ValueError
        As `forward`.

    Notes
    -----
    The entropy of the last state given all rows, and for each other one its entropy given the next
    state and the rows up to it, averaged over the next state: the chain rule, read backwards
    (Hernando, Crespi & Cybenko, 2005).

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> path_entropy(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]]).round(3)
    array([1.167])
    >>> path_entropy(np.zeros((5, 2)), [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]).round(3)
    array([3.466])
    """
    chain = chain_of(log_omega, initial, transition, starts)
    given_past = forward(log_omega, initial, transition, starts).log_filtering
    given_all = normalised(given_past + backward(log_omega, transition, starts))
    log_filtering, smoothing = draws_last(given_past, 2), draws_last(given_all, 2)
    total = np.empty((len(chain.series), *chain.row_max.shape[1:]))
    with quiet():
        for index, (start, stop) in enumerate(chain.series):
            total[index] = entropy(given_all[..., stop - 1, :])
            for t in range(stop - 1, start, -1):
                log_joint = log_filtering[t - 1][:, None] + chain.log_move(t)
                log_from = log_joint - log_sum_exp(log_joint, axis=0)
                # A state that cannot be reached has no state before it, and no probability.
                terms = np.where(np.isfinite(log_from), exp(log_from) * log_from, 0.0)
                total[index] -= np.sum(smoothing[t] * np.sum(terms, axis=0), axis=0)
    return np.asarray(np.maximum(draws_first(total, 1), 0.0))
