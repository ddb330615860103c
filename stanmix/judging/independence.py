"""Draws far enough from each other to be independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stanmix.diagnostics import independent_draws
from stanmix.errors import DataError
from stanmix.judging.matching import FEWEST, Sample

Array = NDArray[np.float64]


class DependentDraws(DataError):
    """Draws are worth too few independent ones to say anything."""


def thinned(values: Array, worth: float) -> Array:
    """Draws (chain, draw, number), about as many as they are worth, evenly spread."""
    step = max(1, round(values.shape[0] * values.shape[1] / worth))
    return values[:, ::step]


def independent(sample: Sample) -> tuple[Sample, float]:
    """Draws as far from each other as it takes for them to be about independent.

    Returns
    -------
    tuple
        The draws, about as many as all are worth; and how many that is.

    Raises
    ------
    DependentDraws
        They are worth too few.
    """
    worth = independent_draws(sample.values)
    kept = Sample(sample.names, thinned(sample.values, worth))
    if len(kept) < FEWEST:
        raise DependentDraws(
            f"{len(sample)} draws are worth {worth:.0f} independent ones, and at least {FEWEST} "
            "are needed: they hang together, or chains are in different places."
        )
    return kept, worth


def evenly(sample: Sample, count: int) -> Sample:
    """So many draws, evenly spread over all chains, as one chain."""
    chains, draws = sample.values.shape[:2]
    # One of each chain after the other, so that none is left out.
    mixed = sample.values.swapaxes(0, 1).reshape(1, chains * draws, -1)
    chosen = np.linspace(0, chains * draws - 1, count).round().astype(np.int64)
    return Sample(sample.names, mixed[:, chosen])
