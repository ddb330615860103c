"""Checks of arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def check_log_omega(log_omega: ArrayLike) -> Array:
    """`log_omega` as floats, with rows and states, and neither NaN nor +inf."""
    array = np.asarray(log_omega, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] == 0:
        raise ValueError(f"`log_omega` must have shape (..., N, K), not {array.shape}")
    if not np.max(array, initial=-np.inf) < np.inf:
        place = tuple(np.argwhere(~(array < np.inf))[0].tolist())
        raise ValueError(f"`log_omega` must be less than +inf, and not NaN: see entry {place}")
    return array


def check_probabilities(
    probabilities: ArrayLike, name: str, used: NDArray[np.bool_] | bool = True
) -> Array:
    """Probabilities as floats, none of the used ones negative or NaN."""
    array = np.asarray(probabilities, dtype=np.float64)
    if not np.min(array, initial=0.0, where=used) >= 0:
        raise ValueError(f"`{name}` must hold probabilities; some are negative or NaN")
    return array


def check_vector(probabilities: ArrayLike, n_states: int, name: str) -> Array:
    """Probabilities of `n_states` components or states."""
    array = check_probabilities(probabilities, name)
    if array.ndim < 1 or array.shape[-1] != n_states:
        raise ValueError(
            f"`{name}` must have shape (..., {n_states}), as `log_omega` has {n_states} "
            f"columns, not {array.shape}"
        )
    return array


def check_vectors(values: ArrayLike, own: tuple[int, int], name: str) -> Array:
    """Probability vectors, one a row or series, with `own` as their last axes."""
    shape = np.shape(values)
    if shape[-2:] != own:
        raise ValueError(f"`{name}` must have shape (..., {own[0]}, {own[1]}), not {shape}")
    return check_probabilities(values, name)
