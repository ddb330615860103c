"""Small fits to draw: a mixture, a chain of several series, and several columns."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from plotnine import ggplot

import stanmix as sm

QUICK = {"engine": "stanli", "chains": 2, "warmup": 150, "draws": 60, "seed": 1}

LONG = "response_time_in_the_second_session_in_ms"


@contextlib.contextmanager
def unconverged() -> Iterator[None]:
    """Nothing here need be trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sm.ConvergenceWarning)
        yield


def fitted(formula: str, data: Any, **options: Any) -> sm.Fit:
    """A short fit: what is drawn of it need not have converged."""
    with unconverged():
        return sm.fit(formula, data, **QUICK | options)


def layer_with(picture: ggplot, *columns: str) -> pd.DataFrame:
    """The data of the first layer that has data of its own with these columns."""
    return next(
        layer._data
        for layer in picture.layers
        if isinstance(layer._data, pd.DataFrame) and {*columns} <= {*layer._data}
    )


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No figure is left open."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def mixture() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.where(np.arange(40) < 16, rng.normal(-1, 1, 40), rng.normal(2, 1, 40))
    y[::9] = np.nan
    rows = pd.DataFrame({"y": y}, index=[f"{LONG}_{i}" for i in range(40)])
    return fitted("y ~ mix(normal, K=2)", rows)


@pytest.fixture(scope="session")
def chain() -> sm.Fit:
    """Two series in an order that is not that of time, with gaps, and rows without responses."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {
            "s": ["late", "early"] * 25,
            "t": np.repeat(np.r_[30:15:-1, 10:0:-1], 2),
            "$y": rng.normal(0, 1, 50),
            "c": rng.choice(["no", "yes"], 50),
        }
    )
    data["$y"] += np.where(data["t"] > 12, 5.0, 0.0)
    data.loc[::8, "$y"] = np.nan
    formula = "cbind(`$y`, c) | series(s) + time(t) ~ hmm(normal & categorical, states=2)"
    return fitted(formula, data)


@pytest.fixture(scope="session")
def columns() -> sm.Fit:
    rng = np.random.default_rng(3)
    first = rng.random(60) < 0.4
    data = pd.DataFrame(
        {
            LONG: np.where(first, 0.0, 6.0) + rng.normal(0, 1, 60),
            "v": np.where(first, 0.0, 5.0) + rng.normal(0, 1, 60),
            "w $ of $": rng.normal(0, 2, 60),
        }
    )
    data.loc[3, "v"] = np.nan
    formula = f"cbind({LONG}, v, `w $ of $`) ~ mix(normal, K=2, cov=full)"
    return fitted(formula, data)
