"""Pairs of columns: rows, ellipses that hold what they say, and margins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from tests.plots.conftest import LONG, fitted

pytestmark = pytest.mark.engine

W = "w $ of $"


def of_panel(data: pd.DataFrame, across: str, down: str) -> pd.DataFrame:
    return data[(data["across"] == across) & (data["down"] == down)]


def test_each_two_columns_have_a_panel_with_their_rows(columns: sm.Fit) -> None:
    picture = columns.plot("pairs")
    data = pd.DataFrame(dict(columns.model.table.columns))
    likely = columns.membership().idxmax(axis=1).astype(str)
    for across in (LONG, "v", W):
        for down in {LONG, "v", W} - {across}:
            shown = of_panel(picture.data, across, down)
            seen = data[[across, down]].dropna()
            assert shown[["first", "second"]].to_numpy() == pytest.approx(seen.to_numpy())
            assert shown["component"].tolist() == likely[seen.index].tolist()


def test_ellipses_are_those_of_mean_and_covariance(columns: sm.Fit) -> None:
    bold = columns.plot("pairs").layers[2]._data
    posterior = columns.draws["posterior"].to_dataset()
    sigma = posterior["sigma"]
    cov = posterior["corr"] * sigma * sigma.rename(column="column_to")
    mean, cov = (v.mean(["chain", "draw"]) for v in (posterior["mu"], cov))
    for k in (1, 2):
        path = of_panel(bold, "v", W).query(f"component == '{k}'")
        off = path[["first", "second"]].to_numpy() - mean.sel(state=k, column=["v", W]).values
        own = cov.sel(state=k, column=["v", W], column_to=["v", W])
        own = own.transpose("column", "column_to").values
        squared = np.einsum("ni,ij,nj->n", off, np.linalg.inv(own), off)
        assert squared == pytest.approx(stats.chi2(2).ppf(0.9), rel=1e-6)


def test_margins_are_in_proportion_and_as_high_as_their_panel(columns: sm.Fit) -> None:
    picture = columns.plot("pairs")
    bars, curves = (of_panel(picture.layers[i]._data, "v", "v") for i in (3, 5))
    y = columns.model.table.columns["v"].dropna().to_numpy()
    counts = np.histogram(y, np.append(bars["low"], bars["high"].iloc[-1]))[0]
    heights = bars["top"] - bars["base"]
    assert (heights / heights.sum()).to_numpy() == pytest.approx(counts / len(y))
    areas = {
        k: np.trapezoid(part["second"] - part["base"], part["first"])
        for k, part in curves.groupby("component")
    }
    whole = (heights * (bars["high"] - bars["low"])).sum()
    weights = columns.draws["posterior"]["weights"].mean(["chain", "draw"]).values
    assert [areas["1"] / whole, areas["2"] / whole] == pytest.approx(weights, abs=0.02)
    assert curves["base"].unique() == pytest.approx([y.min()])
    highest = max(bars["top"].max(), picture.layers[4]._data.query("across == 'v'")["second"].max())
    assert highest == pytest.approx(y.max())


def test_columns_are_chosen_and_ordered(columns: sm.Fit) -> None:
    picture = columns.plot("pairs", columns=[W, "v"])
    assert list(picture.data["across"].cat.categories) == [W, "v"]
    picture.draw()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["v", "ww"], "`ww` is no column of the response"),
        (["v"], "two columns of the response or more"),
        ("v", "two columns of the response or more"),
        (["v", "v"], "each once"),
        (3, "two columns of the response or more"),
        ([None, "v"], "`None` is no column"),
    ],
)
def test_columns_that_make_no_sense_are_refused(
    columns: sm.Fit, chosen: object, message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        columns.plot("pairs", columns=chosen)


def test_independent_columns_have_ellipses_by_mean_and_sd() -> None:
    rng = np.random.default_rng(7)
    data = {"u": rng.normal(0, 1, 40), "v": rng.gamma(3, 1, 40), "w": rng.poisson(5, 40)}
    fit = fitted("cbind(u, v, w) ~ mix(normal & gamma & poisson, K=1)", data)
    picture = fit.plot("pairs")
    path = of_panel(picture.layers[2]._data, "v", "w")
    draws = fit.draws["posterior"].to_dataset().stack(s=["chain", "draw"])
    mean, shape = draws["mu_v"].values[0], draws["shape_v"].values[0]
    rate = draws["rate_w"].values[0]
    radius = np.sqrt(stats.chi2(2).ppf(0.9))
    halves = np.ptp(path[["first", "second"]].to_numpy(), axis=0) / 2
    variance = [np.mean(mean**2 / shape), np.mean(rate)]
    assert halves == pytest.approx(radius * np.sqrt(variance), rel=2e-3)
    assert path["first"].iloc[:-1].mean() == pytest.approx(mean.mean())
    assert "if it were normal" in " ".join(picture.labels.caption.split())
    picture.draw()


def test_several_columns_are_drawn_in_pairs_and_the_error_says_so(columns: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match=r'in pairs by `plot\("pairs"\)`'):
        columns.plot()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ mix(normal, K=1)", "several columns of numbers"),
        ("cbind(y, c) ~ mix(normal & categorical, K=1)", "categories or shares"),
        ("cbind(y, a) ~ mix(normal & von_mises, K=1)", "several columns of numbers"),
        ("cbind(y, z) ~ mix(normal & skew_normal, K=1)", "of `skew_normal`, the family of `z`"),
        ("cbind(y, z) ~ mix(normal, K=1); mu ~ a", "vary by row"),
        ("y | dec(c) ~ mix(rdm, K=1)", "several columns of numbers"),
    ],
)
def test_what_has_no_pairs_is_refused(formula: str, message: str) -> None:
    rng = np.random.default_rng(8)
    data = {
        "y": 1 + rng.random(20),
        "z": rng.normal(0, 1, 20),
        "a": rng.uniform(-3, 3, 20),
        "c": rng.choice(["no", "yes"], 20),
    }
    fit = fitted(formula, data, draws=20)
    with pytest.raises(sm.SpecError, match=message):
        fit.plot("pairs")
