"""Probabilities of states, stacked: one shape a state, whatever the number of places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bands(probabilities: Array, states: Sequence[Any], at: Array) -> pd.DataFrame:
    """Outlines of the stacked probabilities of states, with a step at every place.

    Shapes in place of bars: thousands of bars would show the seams between them.

    Parameters
    ----------
    probabilities
        (place, state).
    states
        Their names.
    at
        Where the places are, increasing; each reaches half a unit to either side.

    Returns
    -------
    DataFrame
        Points of one polygon for each state: `along`, `height` and `state`.

    Examples
    --------
    >>> bands(np.array([[0.25, 0.75]]), [1, 2], np.array([3.0])).query("state == '2'")
       along  height state
    4    2.5    0.25     2
    5    3.5    0.25     2
    6    3.5    1.00     2
    7    2.5    1.00     2
    """
    tops = np.cumsum(probabilities, axis=1)
    bottoms = tops - probabilities
    edges = np.column_stack([at - 0.5, at + 0.5]).ravel()
    # Where places are apart nothing is between them: there all shapes have the height 0.
    apart = 2 * np.flatnonzero(np.diff(at) > 1) + 2
    edges = np.insert(edges, np.repeat(apart, 2), np.repeat(edges[apart], 2))
    after = np.arange(len(apart)) * 2 + apart
    edges[after] = edges[after - 1]

    def steps(heights: Array) -> Array:
        return np.insert(np.repeat(heights, 2), np.repeat(apart, 2), 0.0)

    shapes = [
        pd.DataFrame(
            {
                "along": np.append(edges, edges[::-1]),
                "height": np.append(steps(bottom), steps(top)[::-1]),
                "state": str(state),
            }
        )
        for state, bottom, top in zip(states, bottoms.T, tops.T, strict=True)
    ]
    return pd.concat(shapes, ignore_index=True)
