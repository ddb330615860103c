"""States drawn from their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stanmix.latent.logs import finite_max

NO_STATE = -1
"""The state, in what is drawn or found, of a row that has density zero."""


def chosen(probabilities: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """The states (...) that uniform numbers (...) choose from probabilities (..., K)."""
    upto = np.cumsum(probabilities, axis=-1)
    # `<=` passes over states of probability zero, also where the number is exactly 0.
    below = upto[..., :-1] <= u[..., None] * upto[..., -1:]
    return np.asarray(below.sum(axis=-1), dtype=np.int64)


def sample_log(rng: np.random.Generator, log_state: NDArray[np.float64]) -> NDArray[np.int64]:
    """A state for every draw from unnormalised log probabilities (K, ...)."""
    cumulative = np.cumsum(np.exp(log_state - finite_max(log_state, axis=0)), axis=0)
    threshold = rng.random(log_state.shape[1:]) * cumulative[-1]
    # `<=` passes over states of probability zero, also when the threshold is exactly 0. Without the
    # last state's entry the result is a state even where an impossible series leaves no weight.
    state: NDArray[np.int64] = np.sum(cumulative[:-1] <= threshold, axis=0)
    return state
