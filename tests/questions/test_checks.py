"""Predictive checks: statistics by hand, models that are right, and models that are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from tests.cases import FRAME
from tests.questions.conftest import QUICK

pytestmark = pytest.mark.engine


def test_statistics_are_those_of_the_data_and_of_predicted_data(mixture: sm.Fit) -> None:
    table, y = mixture.check(), mixture.model.table.columns["y"].to_numpy()
    drawn = mixture.predict()["y"].values.reshape(-1, len(y))
    for name, statistic in (
        ("mean", np.mean),
        ("sd", lambda v: np.std(v, ddof=1)),
        ("median", np.median),
        ("q95", lambda v: np.quantile(v, 0.95)),
        ("min", np.min),
    ):
        row = table.loc["y", name]
        each = np.array([statistic(v) for v in drawn])
        assert row["observed"] == pytest.approx(statistic(y))
        assert row["mean"] == pytest.approx(each.mean())
        assert row["q97.5"] == pytest.approx(np.quantile(each, 0.975))
        assert row["p"] == pytest.approx((each > statistic(y)).mean())
    assert table["p"].between(0.005, 0.995).all()


def test_zeros_that_a_model_does_not_expect_are_found() -> None:
    rng = np.random.default_rng(1)
    y = np.where(rng.random(200) < 0.4, 0, rng.poisson(6, 200))
    table = sm.fit("y ~ mix(poisson, K=1)", {"y": y}, **QUICK).check()
    assert table.loc[("y", "zeros"), "p"] == 0
    assert table.loc[("y", "zeros"), "observed"] == (y == 0).mean()
    assert table.loc[("y", "mean"), "p"] == pytest.approx(0.5, abs=0.2)


def test_neighbours_and_durations_of_a_chain_are_compared_within_series() -> None:
    at: dict[str, Any] = {"mu": [-2.0, 2.0], "sigma": [0.5, 0.5], "initial": [0.5, 0.5]}
    at["transition"] = [[0.9, 0.1], [0.1, 0.9]]
    rows = pd.DataFrame({"s": np.tile([1, 2], 100)})
    formula = "y | series(s) ~ hmm(normal, states=2)"
    drawn = sm.simulate(formula, rows, at, seed=2)
    table = sm.fit(formula, drawn.data, **QUICK).check()
    y, states = drawn.data["y"].to_numpy(), drawn.states.to_numpy()
    off = y - y.mean()
    expected = sum((off[s::2][1:] * off[s::2][:-1]).sum() for s in (0, 1)) / (off**2).sum()
    assert table.loc[("y", "autocorrelation"), "observed"] == pytest.approx(expected)
    stays = sum(1 + (np.diff(states[s::2]) != 0).sum() for s in (0, 1))
    assert table.loc[("", "state duration"), "observed"] == pytest.approx(200 / stays, rel=0.02)
    assert table["p"].between(0.005, 0.995).all()


def test_categories_choices_and_counts_have_their_own_statistics() -> None:
    options = {"engine": "stanli", "chains": 1, "warmup": 20, "draws": 5, "seed": 1}
    table = sm.fit("rt | dec(choice) ~ mix(rdm, K=1)", FRAME, **options).check()
    shares = FRAME["choice"].value_counts(normalize=True)
    for label, share in shares.items():
        assert table.loc[("choice", f"share of {label}"), "observed"] == pytest.approx(share)
    data = FRAME.assign(y=FRAME["y"].where(FRAME.index > 3), subject=list("abc") * 8)
    table = sm.fit("cbind(y, subject) ~ mix(normal & categorical, K=1)", data, **options).check()
    assert table.loc[("y", "mean"), "observed"] == pytest.approx(data["y"].mean())
    assert table.loc[("subject", "share of c"), "observed"] == pytest.approx(1 / 3)


def test_a_statistic_may_be_ones_own(mixture: sm.Fit) -> None:
    table = mixture.check(statistics={"range": np.ptp})
    assert table.loc[("y", "range"), "observed"] == np.ptp(mixture.model.table.columns["y"])
    with pytest.raises(sm.SpecError, match="'both' is no function that returns a number"):
        mixture.check(statistics={"both": lambda y: (y.min(), y.max())})
    with pytest.raises(sm.SpecError, match="'x' is no function"):
        mixture.check(statistics={"x": 3})


def test_rows_that_count_several_times_are_not_checked() -> None:
    options = {"engine": "stanli", "chains": 1, "warmup": 20, "draws": 5, "seed": 1}
    data = {"y": [0.0, 1.0, 3.0], "n": [1, 2, 3]}
    fit = sm.fit("y | freq(n) ~ mix(normal(sigma=1), K=1)", data, **options)
    with pytest.raises(sm.SpecError, match="write them out"):
        fit.check()
