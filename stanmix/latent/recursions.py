"""The two recursions of a hidden Markov model: forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.chain import chain_of, draws_first
from stanmix.latent.checks import check_log_omega
from stanmix.latent.logs import exp, finite_max, log_sum_exp, quiet

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forward:
    """What the rows up to each row say about the states: the result of `forward`.

    Attributes
    ----------
    log_predicted : ndarray, shape (..., N, K)
        Log of `predicted`. The logs are what is stored: they keep what `exp` would round to zero.
    log_filtering : ndarray, shape (..., N, K)
        Log of `filtering`.
    log_increment : ndarray, shape (..., N)
        log p(y_t | y_1..t-1); sums to the log density of the series. -inf at an impossible row
        and in the rest of its series.
    """

    log_predicted: Array
    log_filtering: Array
    log_increment: Array

    @property
    def predicted(self) -> Array:
        """One-step-ahead state probabilities p(z_t | y_1..t-1), shape (..., N, K).

        `initial` at the first row of a series; NaN after an impossible row.
        """
        return exp(self.log_predicted)

    @property
    def filtering(self) -> Array:
        """State probabilities p(z_t | y_1..t), shape (..., N, K); NaN from an impossible row on."""
        return exp(self.log_filtering)


def forward(
    log_omega: ArrayLike,
    initial: ArrayLike,
    transition: ArrayLike,
    starts: ArrayLike = (0,),
) -> Forward:
    """Run along each series, predicting every row's state and then learning from the row.

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in state k.
    initial : array_like, shape (..., K) or (..., S, K)
        State probabilities at the first row of every series, or of each.
    transition : array_like, shape (..., K, K) or (..., N, K, K)
        Transition probabilities, from rows to columns; see the module's text.
    starts : array_like of int, shape (S,)
        First row of each series: 0 first, strictly increasing.

    Returns
    -------
    Forward
        One-step-ahead and filtering probabilities, and the log density that each row adds.

    Raises
    ------
    ValueError
        If `log_omega` holds NaN or +inf, a probability is negative or NaN, `starts` does not
        divide the rows into series, or the shapes disagree.

    Notes
    -----
    The scaled forward algorithm: Zucchini et al. (2016), section 3.2; Rabiner (1989), section V.A.
    The first row of a series has `initial` itself; no transition comes before it.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> result = forward(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])
    >>> result.predicted.round(3)
    array([[0.5  , 0.5  ],
           [0.709, 0.291]])
    >>> result.filtering.round(3)
    array([[0.818, 0.182],
           [0.289, 0.711]])
    >>> np.exp(result.log_increment).round(4)
    array([0.55  , 0.2455])
    """
    chain = chain_of(log_omega, initial, transition, starts)
    log_predicted = np.empty(chain.shape)
    log_filtering = np.empty(chain.shape)
    log_increment = np.empty(chain.row_max.shape)
    with quiet():
        for index, (start, stop) in enumerate(chain.series):
            log_state = chain.log_initial(index)
            for t in range(start, stop):
                if t > start:
                    log_state = log_sum_exp(log_state[:, None] + chain.log_move(t), axis=0)
                log_predicted[t] = log_state
                log_joint = log_state + chain.log_relative(t)
                log_sum = log_sum_exp(log_joint, axis=0)
                log_state = log_joint - log_sum
                log_filtering[t] = log_state
                log_increment[t] = log_sum + chain.row_max[t]
    # Given an impossible row everything is NaN; the increments say -inf, so that sums do too.
    log_increment[np.isnan(log_increment)] = -np.inf
    return Forward(
        log_predicted=draws_first(log_predicted, 2),
        log_filtering=draws_first(log_filtering, 2),
        log_increment=draws_first(log_increment, 1),
    )


def backward(log_omega: ArrayLike, transition: ArrayLike, starts: ArrayLike = (0,)) -> Array:
    """Run back along each series: what the rows after each row say about its state.

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in state k.
    transition : array_like, shape (..., K, K) or (..., N, K, K)
        Transition probabilities, from rows to columns; see the module's text.
    starts : array_like of int, shape (S,)
        First row of each series: 0 first, strictly increasing.

    Returns
    -------
    ndarray, shape (..., N, K)
        log p(y_t+1..T | z_t = k) up to a constant of each row, chosen so that its largest entry
        is 0: the last row of a series is 0 throughout. -inf in states from which the rest of the
        series is impossible, be that all of them.

    Raises
    ------
    ValueError
        If `log_omega` holds NaN or +inf, a probability is negative or NaN, `starts` does not
        divide the rows into series, or the shapes disagree.

    Notes
    -----
    b_t(j) = sum_i transition_t+1[j, i] omega_t+1(i) b_t+1(i), rescaled at every step: Zucchini et
    al. (2016), section 4.1; Rabiner (1989), sections III.A and V.A.

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> np.exp(backward(log_omega, [[0.8, 0.2], [0.3, 0.7]])).round(3)
    array([[0.444, 1.   ],
           [1.   , 1.   ]])
    """
    n_states = check_log_omega(log_omega).shape[-1]
    # No step back ever uses the initial distribution; any will do.
    chain = chain_of(log_omega, np.ones(n_states), transition, starts)
    log_backward = np.zeros(chain.shape)
    with quiet():
        for start, stop in chain.series:
            for t in range(stop - 1, start, -1):
                log_ahead = log_backward[t] + chain.log_relative(t)
                log_state = log_sum_exp(chain.log_move(t) + log_ahead, axis=1)
                log_backward[t - 1] = log_state - finite_max(log_state, axis=0)
    return draws_first(log_backward, 2)
