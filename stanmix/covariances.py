"""Covariance matrices as users give them: correlations, and standard deviations beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def is_correlation_matrix(value: Array) -> bool:
    """Whether every matrix in the last two axes is a positive definite correlation matrix."""
    symmetric = np.allclose(value, np.swapaxes(value, -1, -2))
    of_unit_diagonal = np.allclose(np.diagonal(value, axis1=-2, axis2=-1), 1.0)
    return symmetric and of_unit_diagonal and bool((np.linalg.eigvalsh(value) > 0).all())


def covariance_factor(sd: Array, correlations: Array | None) -> Array:
    """The Cholesky factor of a covariance matrix, diagonal where there are no correlations.

    Parameters
    ----------
    sd
        Standard deviations: (.., dimension).
    correlations
        Correlation matrices, if there are any: (.., dimension, dimension).
    """
    if correlations is None:
        return np.asarray(sd[..., :, None] * np.eye(sd.shape[-1]))
    return np.asarray(sd[..., :, None] * np.linalg.cholesky(correlations))
