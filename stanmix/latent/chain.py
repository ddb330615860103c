"""The arguments of a hidden Markov model, checked and laid out for the recursions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.latent.checks import (
    check_log_omega,
    check_probabilities,
    check_vector,
    check_vectors,
)
from stanmix.latent.logs import finite_max, log

Array = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True, eq=False)
class Chain:
    """Arguments of a recursion with their draws on the last axes.

    Steps over rows then read and write contiguous blocks, and sums over the few states run along
    the many draws instead of the other way round.
    """

    log_omega: Array  # (N, K, draws)
    row_max: Array  # (N, draws): the largest log_omega of each row, finite
    log_initials: Array  # (S, K, draws), or (1, K, draws) where all series have the same
    log_move: Callable[[int], Array]  # row t -> (K, K, draws): log transition from t - 1 to t
    series: list[tuple[int, int]]  # first row, and the row after the last

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K, draws)."""
        return self.log_omega.shape

    def log_initial(self, series: int) -> Array:
        """Log probabilities of the first state of a series, (K, draws)."""
        initial: Array = self.log_initials[series if len(self.log_initials) > 1 else 0]
        return initial

    def log_relative(self, t: int) -> Array:
        """`log_omega` of row t less its maximum.

        With the maximum still in it, a large log density would cost the state probabilities their
        last digits.
        """
        relative: Array = np.subtract(self.log_omega[t], self.row_max[t], order="C")
        return relative


def chain_of(
    log_omega: ArrayLike, initial: ArrayLike, transition: ArrayLike, starts: ArrayLike
) -> Chain:
    """Check the arguments of an HMM, broadcast their draws, and lay them out for the loops."""
    densities = check_log_omega(log_omega)
    n_rows = densities.shape[-2]
    series = _series(starts, n_rows)
    first = _check_initial(initial, densities, series)
    matrix, varying = _check_transition(transition, densities, series)
    own_axes = 3 if varying else 2
    draws = np.broadcast_shapes(
        densities.shape[:-2], first.shape[:-2], matrix.shape[: matrix.ndim - own_axes]
    )
    by_row = draws_last(densities, 2, draws)
    return Chain(
        log_omega=by_row,
        row_max=finite_max(by_row, axis=1)[:, 0],
        log_initials=log(draws_last(first, 2, draws)),
        log_move=_varying_move(matrix, draws) if varying else _constant_move(matrix, draws),
        series=series,
    )


def _check_initial(initial: ArrayLike, log_omega: Array, series: list[tuple[int, int]]) -> Array:
    """First-state probabilities, (..., 1, K), or (..., S, K) where series differ."""
    if np.ndim(initial) < log_omega.ndim:
        return check_vector(initial, log_omega.shape[-1], "initial")[..., None, :]
    return check_vectors(initial, (len(series), log_omega.shape[-1]), "initial")


def _constant_move(matrix: Array, draws: tuple[int, ...]) -> Callable[[int], Array]:
    """Log transition into any row."""
    log_matrix = log(draws_last(matrix, 2, draws))
    return lambda t: log_matrix


def _varying_move(matrix: Array, draws: tuple[int, ...]) -> Callable[[int], Array]:
    """Log transition into row t, taken when asked for: logs of all rows would be a copy."""
    by_row = draws_last(matrix, 3, draws)
    return lambda t: log(by_row[t])


def draws_last(array: Array, own_axes: int, draws: tuple[int, ...] | None = None) -> Array:
    """View with the last `own_axes` axes moved to the front, its draws broadcast to `draws`."""
    split = array.ndim - own_axes
    if draws is not None:
        array = np.broadcast_to(array, (*draws, *array.shape[split:]))
    return np.moveaxis(array, range(-own_axes, 0), range(own_axes))


def draws_first(array: NDArray[Number], own_axes: int) -> NDArray[Number]:
    """View with the first `own_axes` axes moved to the end."""
    return np.moveaxis(array, range(own_axes), range(-own_axes, 0))


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
        return check_probabilities(transition, "transition"), False
    moved_into = np.ones((n_rows, 1, 1), dtype=np.bool_)
    moved_into[[start for start, _ in series]] = False
    return check_probabilities(transition, "transition", used=moved_into), True


def _series(starts: ArrayLike, n_rows: int) -> list[tuple[int, int]]:
    """First row, and the row after the last, of every series."""
    firsts = np.asarray(starts)
    if firsts.ndim != 1 or firsts.dtype.kind not in "iu" or firsts.size == 0 or firsts[0] != 0:
        raise ValueError("`starts` must be a list of row numbers that begins with 0")
    bounds = [*firsts.tolist(), n_rows]
    series = list(pairwise(bounds))
    if any(start >= stop for start, stop in series):
        raise ValueError(f"`starts` must increase strictly and stay below {n_rows}, the rows")
    return series
