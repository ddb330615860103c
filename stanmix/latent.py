"""Latent algebra: what `log_omega` and a latent structure say about components, states and rows.

Every function is pure, knows no family, and works on all draws at once. `log_omega[..., n, k]` is
the log density of row n in component or state k; the leading axes `...` (chain, draw) are free,
and those of the arguments broadcast against each other. A mixture has `weights` (..., K). An HMM
has `initial` (..., K), the state probabilities at the first row of a series, and `transition`,
whose rows are the states one moves from:

- (..., K, K), with at most as many axes as `log_omega`: constant in time;
- (..., N, K, K), with exactly one axis more than `log_omega`: entry n is the move from row n - 1
  to row n. Entries at the first row of a series are never read, and may hold anything.

The number of axes decides, never their lengths. So a time-varying transition that all draws share
is given as (1, N, K, K), and a `log_omega` shared by many constant transitions as (1, N, K).

`starts` holds the row at which each series begins; the rows of a series stand together. The
recursions loop over rows, and each step serves all draws and states. A step works on logs and
normalises: however long the series, nothing under- or overflows, and a state whose probability is
far below 1e-308 still counts when a later row admits no other.

**Impossible rows.** `log_omega` may be -inf (bounded support, known labels), and probabilities may
be zero. Where a row is -inf in every state that can be reached, the density of its series is zero
and nothing can be conditioned on it: `log_increment` is -inf from that row to the end of the
series, and so is the log density; state probabilities given that row are NaN; a path is -1 in all
rows of the series. Other series and other draws are unaffected, and numpy does not warn.

References
----------
Chib, S. (1996). Calculating posterior distributions and modal estimates in Markov mixture models.
*Journal of Econometrics*, 75, 79-97.

Grassmann, W. K., Taksar, M. I., & Heyman, D. P. (1985). Regenerative analysis and steady state
distributions for Markov chains. *Operations Research*, 33, 1107-1116.

McLachlan, G., & Peel, D. (2000). *Finite mixture models*. Wiley.

Rabiner, L. R. (1989). A tutorial on hidden Markov models and selected applications in speech
recognition. *Proceedings of the IEEE*, 77, 257-286.

Zucchini, W., MacDonald, I. L., & Langrock, R. (2016). *Hidden Markov models for time series: An
introduction using R* (2nd ed.). CRC Press.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Forward",
    "backward",
    "filtering",
    "forward",
    "leave_one_out",
    "log_likelihood",
    "mixture_log_density",
    "responsibility",
    "sample_states",
    "smoothing",
    "stationary",
    "viterbi",
]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Number = TypeVar("Number", np.float64, np.int64)

LOWEST = np.finfo(np.float64).min
"""Stands in for a maximum of -inf: -inf - LOWEST is -inf, where -inf - -inf would be NaN."""

NO_STATE = -1
"""The state, in a path, of a row whose series has density zero."""


# Mixtures


def responsibility(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Probability of each component given its row, p(z_n = k | y_n).

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in component k.
    weights : array_like, shape (..., K)
        Mixture proportions.

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
    return _normalised(_log_joint(log_omega, weights))


def mixture_log_density(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Log density of each row under the mixture, the component summed out.

    Parameters
    ----------
    log_omega : array_like, shape (..., N, K)
        Log density of row n in component k.
    weights : array_like, shape (..., K)
        Mixture proportions.

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
    with _quiet():
        return _log_sum_exp(_log_joint(log_omega, weights), axis=-1)


def _log_joint(log_omega: ArrayLike, weights: ArrayLike) -> Array:
    """Log of weights_k omega_nk, (..., N, K)."""
    densities = _check_log_omega(log_omega)
    proportions = _check_vector(weights, densities.shape[-1], "weights")
    return densities + _log(proportions)[..., None, :]


# Hidden Markov models: the two recursions


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
        return _exp(self.log_predicted)

    @property
    def filtering(self) -> Array:
        """State probabilities p(z_t | y_1..t), shape (..., N, K); NaN from an impossible row on."""
        return _exp(self.log_filtering)


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
    initial : array_like, shape (..., K)
        State probabilities at the first row of every series.
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
    chain = _chain(log_omega, initial, transition, starts)
    log_predicted = np.empty(chain.shape)
    log_filtering = np.empty(chain.shape)
    log_increment = np.empty(chain.row_max.shape)
    with _quiet():
        for start, stop in chain.series:
            log_state = chain.log_initial
            for t in range(start, stop):
                if t > start:
                    log_state = _log_sum_exp(log_state[:, None] + chain.log_move(t), axis=0)
                log_predicted[t] = log_state
                log_joint = log_state + chain.log_relative(t)
                log_sum = _log_sum_exp(log_joint, axis=0)
                log_state = log_joint - log_sum
                log_filtering[t] = log_state
                log_increment[t] = log_sum + chain.row_max[t]
    # Given an impossible row everything is NaN; the increments say -inf, so that sums do too.
    log_increment[np.isnan(log_increment)] = -np.inf
    return Forward(
        log_predicted=_draws_first(log_predicted, 2),
        log_filtering=_draws_first(log_filtering, 2),
        log_increment=_draws_first(log_increment, 1),
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
    n_states = _check_log_omega(log_omega).shape[-1]
    # No step back ever uses the initial distribution; any will do.
    chain = _chain(log_omega, np.ones(n_states), transition, starts)
    log_backward = np.zeros(chain.shape)
    with _quiet():
        for start, stop in chain.series:
            for t in range(stop - 1, start, -1):
                log_ahead = log_backward[t] + chain.log_relative(t)
                log_state = _log_sum_exp(chain.log_move(t) + log_ahead, axis=1)
                log_backward[t - 1] = log_state - _finite_max(log_state, axis=0)
    return _draws_first(log_backward, 2)


# Hidden Markov models: questions


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
    return _normalised(log_filtering + backward(log_omega, transition, starts))


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
    The one-step-ahead probabilities times the backward variable are, normalised, the state
    probabilities given the other rows; Zucchini et al. (2016), section 5.2 (conditional
    distributions). These are the terms of leave-one-observation-out cross-validation. The
    one-step-ahead terms `forward(..).log_increment` are not, although they sum to log p(y).

    Examples
    --------
    >>> log_omega = np.log([[0.9, 0.2], [0.1, 0.6]])
    >>> terms = leave_one_out(log_omega, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]])
    >>> np.exp(terms).round(4)
    array([0.4154, 0.2455])
    """
    densities = _check_log_omega(log_omega)
    with _quiet():
        log_others = forward(densities, initial, transition, starts).log_predicted
        log_others = log_others + backward(densities, transition, starts)
        return _log_sum_exp(log_others + densities, axis=-1) - _log_sum_exp(log_others, axis=-1)


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
    chain = _chain(log_omega, initial, transition, starts)
    path = np.empty(chain.row_max.shape, dtype=np.int64)
    with _quiet():
        for start, stop in chain.series:
            path[start:stop] = _best_path(chain, start, stop)
    return _draws_first(path, 1)


def _best_path(chain: _Chain, start: int, stop: int) -> Integers:
    """Most likely path of one series, (stop - start, draws)."""
    n_states, *draws = chain.log_initial.shape
    # Where the best path into each state came from: the one large array, hence small integers.
    origin = np.empty((stop - start, n_states, *draws), dtype=np.min_scalar_type(n_states - 1))
    score = chain.log_initial + chain.log_relative(start)
    for t in range(start + 1, stop):
        score = score - _finite_max(score, axis=0)
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
    chain = _chain(log_omega, initial, transition, starts)
    given_past = forward(log_omega, initial, transition, starts).log_filtering
    log_filtering = _draws_last(given_past, 2)
    path = np.empty(chain.row_max.shape, dtype=np.int64)
    with _quiet():
        for start, stop in chain.series:
            path[stop - 1] = _sample(rng, log_filtering[stop - 1])
            for t in range(stop - 1, start, -1):
                log_into = np.take_along_axis(chain.log_move(t), path[t][None, None], axis=1)[:, 0]
                path[t - 1] = _sample(rng, log_filtering[t - 1] + log_into)
            path[start:stop, np.isnan(log_filtering[stop - 1, 0])] = NO_STATE
    return _draws_first(path, 1)


def _sample(rng: np.random.Generator, log_state: Array) -> Integers:
    """Sample a state for every draw from unnormalised log probabilities (K, draws)."""
    cumulative = np.cumsum(np.exp(log_state - _finite_max(log_state, axis=0)), axis=0)
    threshold = rng.random(log_state.shape[1:]) * cumulative[-1]
    # `<=` passes over states of probability zero, also when the threshold is exactly 0. Without the
    # last state's entry the result is a state even where an impossible series leaves no weight.
    state: Integers = np.sum(cumulative[:-1] <= threshold, axis=0)
    return state


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
    matrix = _check_probabilities(transition, "transition")
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.shape[-1] == 0:
        raise ValueError(f"`transition` must have shape (..., K, K), not {matrix.shape}")
    with np.errstate(all="ignore"):
        state = _eliminate(_draws_last(matrix, 2).copy())
    # A class of states that cannot be left makes a pivot 0; one that cannot be entered, an entry.
    if not np.all(state > 0):
        raise ValueError("`transition` is reducible: some states cannot be reached from others")
    return _draws_first(state, 1)


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


# The chain: checked arguments, laid out for the recursions


@dataclass(frozen=True, eq=False)
class _Chain:
    """Arguments of a recursion with their draws on the last axes.

    Steps over rows then read and write contiguous blocks, and sums over the few states run along
    the many draws instead of the other way round.
    """

    log_omega: Array  # (N, K, draws)
    row_max: Array  # (N, draws): the largest log_omega of each row, finite
    log_initial: Array  # (K, draws)
    log_move: Callable[[int], Array]  # row t -> (K, K, draws): log transition from t - 1 to t
    series: list[tuple[int, int]]  # first row, and the row after the last

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K, draws)."""
        return self.log_omega.shape

    def log_relative(self, t: int) -> Array:
        """`log_omega` of row t less its maximum.

        With the maximum still in it, a large log density would cost the state probabilities their
        last digits.
        """
        relative: Array = np.subtract(self.log_omega[t], self.row_max[t], order="C")
        return relative


def _chain(
    log_omega: ArrayLike, initial: ArrayLike, transition: ArrayLike, starts: ArrayLike
) -> _Chain:
    """Check the arguments of an HMM, broadcast their draws, and lay them out for the loops."""
    densities = _check_log_omega(log_omega)
    n_rows, n_states = densities.shape[-2:]
    series = _series(starts, n_rows)
    first = _check_vector(initial, n_states, "initial")
    matrix, varying = _check_transition(transition, densities, series)
    own_axes = 3 if varying else 2
    draws = np.broadcast_shapes(
        densities.shape[:-2], first.shape[:-1], matrix.shape[: matrix.ndim - own_axes]
    )
    by_row = _draws_last(densities, 2, draws)
    return _Chain(
        log_omega=by_row,
        row_max=_finite_max(by_row, axis=1)[:, 0],
        log_initial=_log(_draws_last(first, 1, draws)),
        log_move=_varying_move(matrix, draws) if varying else _constant_move(matrix, draws),
        series=series,
    )


def _constant_move(matrix: Array, draws: tuple[int, ...]) -> Callable[[int], Array]:
    """Log transition into any row."""
    log_matrix = _log(_draws_last(matrix, 2, draws))
    return lambda t: log_matrix


def _varying_move(matrix: Array, draws: tuple[int, ...]) -> Callable[[int], Array]:
    """Log transition into row t, taken when asked for: logs of all rows would be a copy."""
    by_row = _draws_last(matrix, 3, draws)
    return lambda t: _log(by_row[t])


def _draws_last(array: Array, own_axes: int, draws: tuple[int, ...] | None = None) -> Array:
    """View with the last `own_axes` axes moved to the front, its draws broadcast to `draws`."""
    split = array.ndim - own_axes
    if draws is not None:
        array = np.broadcast_to(array, (*draws, *array.shape[split:]))
    return np.moveaxis(array, range(-own_axes, 0), range(own_axes))


def _draws_first(array: NDArray[Number], own_axes: int) -> NDArray[Number]:
    """View with the first `own_axes` axes moved to the end."""
    return np.moveaxis(array, range(own_axes), range(-own_axes, 0))


# Checks


def _check_log_omega(log_omega: ArrayLike) -> Array:
    """`log_omega` as floats, with rows and states, and neither NaN nor +inf."""
    array = np.asarray(log_omega, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] == 0:
        raise ValueError(f"`log_omega` must have shape (..., N, K), not {array.shape}")
    if not np.max(array, initial=-np.inf) < np.inf:
        place = tuple(np.argwhere(~(array < np.inf))[0].tolist())
        raise ValueError(f"`log_omega` must be less than +inf, and not NaN: see entry {place}")
    return array


def _check_probabilities(
    probabilities: ArrayLike, name: str, used: NDArray[np.bool_] | bool = True
) -> Array:
    """Probabilities as floats, none of the used ones negative or NaN."""
    array = np.asarray(probabilities, dtype=np.float64)
    if not np.min(array, initial=0.0, where=used) >= 0:
        raise ValueError(f"`{name}` must hold probabilities; some are negative or NaN")
    return array


def _check_vector(probabilities: ArrayLike, n_states: int, name: str) -> Array:
    """Probabilities of `n_states` components or states."""
    array = _check_probabilities(probabilities, name)
    if array.ndim < 1 or array.shape[-1] != n_states:
        raise ValueError(
            f"`{name}` must have shape (..., {n_states}), as `log_omega` has {n_states} "
            f"columns, not {array.shape}"
        )
    return array


def _check_transition(
    transition: ArrayLike, log_omega: Array, series: list[tuple[int, int]]
) -> tuple[Array, bool]:
    """Transition probabilities, and whether they vary in time."""
    n_rows, n_states = log_omega.shape[-2:]
    shape = np.shape(transition)
    varying = len(shape) == log_omega.ndim + 1
    expected = (n_rows, n_states, n_states) if varying else (n_states, n_states)
    if len(shape) > log_omega.ndim + 1 or shape[-len(expected) :] != expected:
        raise ValueError(
            f"`transition` must have shape (..., {', '.join(map(str, expected))}) beside "
            f"`log_omega` of shape {log_omega.shape}, not {shape}"
        )
    if not varying:
        return _check_probabilities(transition, "transition"), False
    moved_into = np.ones((n_rows, 1, 1), dtype=np.bool_)
    moved_into[[start for start, _ in series]] = False
    return _check_probabilities(transition, "transition", used=moved_into), True


def _series(starts: ArrayLike, n_rows: int) -> list[tuple[int, int]]:
    """First row, and the row after the last, of every series."""
    firsts = np.asarray(starts)
    if firsts.ndim != 1 or firsts.dtype.kind not in "iu" or firsts.size == 0 or firsts[0] != 0:
        raise ValueError("`starts` must be a list of row numbers that begins with 0")
    bounds = [*firsts.tolist(), n_rows]
    series = list(zip(bounds[:-1], bounds[1:], strict=True))
    if any(start >= stop for start, stop in series):
        raise ValueError(f"`starts` must increase strictly and stay below {n_rows}, the rows")
    return series


# Logs


def _quiet() -> np.errstate:
    """Let log(0) be -inf, -inf - -inf NaN, and a vanishing exp 0, without a warning."""
    return np.errstate(divide="ignore", invalid="ignore", under="ignore")


def _log(array: Array) -> Array:
    """Log, laid out in the order of its axes: of a view, numpy would keep the order in memory."""
    with _quiet():
        return np.log(array, order="C")


def _exp(array: Array) -> Array:
    with _quiet():
        return np.exp(array)


def _finite_max(array: Array, axis: int) -> Array:
    """Maximum along an axis, which is kept, with LOWEST in place of -inf."""
    largest: Array = np.maximum(np.maximum.reduce(array, axis=axis, keepdims=True), LOWEST)
    return largest


def _log_sum_exp(array: Array, axis: int) -> Array:
    """Log of the sum of exp along an axis; the sum of nothing but exp(-inf) is -inf."""
    largest = _finite_max(array, axis)
    total = np.add.reduce(np.exp(array - largest), axis=axis, keepdims=True)
    return (np.log(total) + largest).squeeze(axis)


def _normalised(log_joint: Array) -> Array:
    """Probabilities over the last axis from unnormalised logs; NaN where all are -inf."""
    with _quiet():
        return np.exp(log_joint - _log_sum_exp(log_joint, axis=-1)[..., None])
