"""Draws far enough from each other to be independent."""

from __future__ import annotations

import numpy as np

from stanmix.diagnostics import independent_draws
from stanmix.referee.matching import Sample


def independent(sample: Sample) -> tuple[Sample, float]:
    """Draws as far from each other as it takes for them to be about independent.

    Returns
    -------
    tuple
        The draws, about as many as all are worth; and how many that is.
    """
    worth = independent_draws(sample.values)
    step = max(1, round(len(sample) / worth))
    return Sample(sample.names, sample.values[:, ::step]), worth


def evenly(sample: Sample, count: int) -> Sample:
    """So many draws, evenly spread over all chains, as one chain."""
    chains, draws = sample.values.shape[:2]
    # One of each chain after the other, so that none is left out.
    mixed = sample.values.swapaxes(0, 1).reshape(1, chains * draws, -1)
    chosen = np.linspace(0, chains * draws - 1, count).round().astype(np.int64)
    return Sample(sample.names, mixed[:, chosen])
