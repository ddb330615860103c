"""Small fits that questions are put to, and what their answers are by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import softmax

import stanmix as sm

QUICK = {"engine": "stanli", "chains": 2, "warmup": 300, "draws": 100, "seed": 1}


@pytest.fixture(scope="module")
def mixture() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(-2, 1, 20), rng.normal(2, 0.5, 30)])
    return sm.fit("y ~ mix(normal, K=2)", {"y": y}, **QUICK)


@pytest.fixture(scope="module")
def chain() -> sm.Fit:
    """Series, in an order that is not that of time, with moves that depend on `x`."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "s": np.repeat(["x", "y", "z"], 5),
            "t": np.tile([5, 3, 4, 1, 2], 3),
            "x": rng.normal(size=15),
            "b": np.repeat([0.0, 1.0, 3.0], 5),
            "y": rng.poisson(4, 15),
        }
    )
    data.loc[data["t"] > 3, "y"] += 6
    formula = "y | series(s) + time(t) ~ hmm(poisson, states=3)\ntransition ~ x; initial ~ b"
    return sm.fit(formula, data, **QUICK)


def enumerated(fit: sm.Fit, draw: tuple[int, int]) -> Iterator[tuple[pd.Index, Any, Any]]:
    """For each series its rows in the order of time, all paths, and their joint densities."""
    paths = np.array(list(itertools.product(range(3), repeat=5)))
    for rows, first, moves, mass in by_hand(fit, draw):
        joint = first[paths[:, 0]] * mass[0, paths[:, 0]]
        for t in range(1, 5):
            joint = joint * moves[t][paths[:, t - 1], paths[:, t]] * mass[t, paths[:, t]]
        yield rows, paths, joint


def by_hand(fit: sm.Fit, draw: tuple[int, int]) -> Iterator[tuple[pd.Index, Any, Any, Any]]:
    """For each series of `chain` its rows in the order of time, and what there is at one draw.

    First states (state), moves (row, state, state), and probabilities of rows (row, state).
    """
    posterior = fit.draws["posterior"].to_dataset().isel(chain=draw[0], draw=draw[1])
    data = pd.DataFrame(dict(fit.model.table.columns))
    slopes, first = posterior["beta_transition"].values, posterior["beta_initial"].values
    for _, rows in data.groupby("s"):
        rows = rows.sort_values("t")
        mass = stats.poisson(posterior["rate"].values).pmf(rows["y"].to_numpy()[:, None])
        moves = [softmax(slopes[..., 0] + x * slopes[..., 1], axis=1) for x in rows["x"]]
        start = softmax(first[:, 0] + rows["b"].iloc[0] * first[:, 1])
        yield rows.index, start, moves, mass
