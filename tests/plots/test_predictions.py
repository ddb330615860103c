"""Predictive checks, predicted data, residuals, and Pareto k."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from stanmix.plots import pareto_k
from tests.plots.conftest import fitted, layer_with, unconverged

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("name", ["mixture", "chain"])
def test_checks_show_what_their_table_says(name: str, request: pytest.FixtureRequest) -> None:
    fit = request.getfixturevalue(name)
    picture, table = fit.plot("check"), fit.check()
    lines = picture.layers[1]._data
    assert lines["observed"].to_numpy() == pytest.approx(table["observed"].to_numpy())
    p = [float(panel.rsplit("p = ")[1]) for panel in lines["panel"]]
    assert p == pytest.approx(table["p"].to_numpy(), abs=0.00501)
    for (panel, bars), mean in zip(
        picture.data.groupby("panel", observed=True), table["mean"], strict=True
    ):
        assert bars["share"].sum() == pytest.approx(1), panel
        width = (bars["high"] - bars["low"]).max()
        middle = (bars["share"] * (bars["low"] + bars["high"]) / 2).sum()
        assert middle == pytest.approx(mean, abs=width)


def test_a_statistic_of_ones_own_has_a_panel(mixture: sm.Fit) -> None:
    picture = mixture.plot("check", statistics={"mean": np.mean, "range": np.ptp})
    picture.draw()
    shown = picture.layers[1]._data
    y = mixture.model.table.columns["y"].dropna()
    assert shown["panel"].iloc[-1].startswith("range\n")
    assert shown["observed"].iloc[-1] == pytest.approx(np.ptp(y))


def test_predicted_data_are_binned_as_the_data(mixture: sm.Fit) -> None:
    picture = mixture.plot("predictive", sets=10)
    bars, lines = picture.data, picture.layers[1]._data
    edges = np.append(bars["low"], bars["high"].iloc[-1])
    y = mixture.model.table.columns["y"].to_numpy()
    seen = ~np.isnan(y)
    assert bars["share"].to_numpy() == pytest.approx(np.histogram(y[seen], edges)[0] / seen.sum())
    drawn = mixture.predict(draws=10)["y"].values.reshape(-1, len(y))[:, seen]
    assert lines["set"].nunique() == len(drawn)
    for (_, line), values in zip(lines.groupby("set", sort=False), drawn, strict=True):
        share = np.histogram(values, edges)[0] / seen.sum()
        assert line["share"].to_numpy() == pytest.approx(share)


def test_categories_have_the_shares_of_their_names(chain: sm.Fit) -> None:
    picture = chain.plot("predictive")
    bars = picture.data[picture.data["panel"] == "c"]
    c = pd.Series(chain.model.table.columns["c"])
    assert bars["middle"].tolist() == [1, 2]
    assert bars["share"].tolist() == pytest.approx([(c == "no").mean(), (c == "yes").mean()])
    assert "c: 1 is no, 2 is yes" in picture.labels.caption


@pytest.mark.parametrize("sets", [0, True, 2.5, "many"])
def test_sets_are_counted_from_one_on(mixture: sm.Fit, sets: object) -> None:
    with pytest.raises(sm.SpecError, match="`sets` must be a whole number"):
        mixture.plot("predictive", sets=sets)


def test_rows_that_count_several_times_are_not_drawn_beside_predictions() -> None:
    fit = fitted("y | freq(n) ~ mix(poisson, K=1)", {"y": [1, 2, 5], "n": [3, 4, 2]})
    for picture in ("predictive", "check"):
        with pytest.raises(sm.SpecError, match="write them out"):
            fit.plot(picture)


def test_residuals_are_sorted_beside_normal_quantiles_within_a_band(mixture: sm.Fit) -> None:
    shown = mixture.plot("residuals").data
    found = mixture.residuals()["y"].dropna().to_numpy()
    assert shown["residual"].tolist() == np.sort(found).tolist()
    n = len(found)
    assert shown["normal"].to_numpy() == pytest.approx(stats.norm.ppf((np.arange(n) + 0.5) / n))
    # By simulation: each point of a normal sample lies within with 95 %.
    sample = np.sort(np.random.default_rng(1).normal(size=(20_000, n)), axis=1)
    inside = (sample > shown["low"].to_numpy()) & (sample < shown["high"].to_numpy())
    assert inside.mean(axis=0) == pytest.approx(0.95, abs=0.01)


def test_residuals_that_no_draw_can_have_stand_at_the_edge() -> None:
    fit = fitted("y ~ mix(normal(mu=0, sigma=1), K=1)", {"y": [0.0, 1.0, -1.0]})
    far = replace(
        fit,
        model=sm.model("y ~ mix(normal(mu=0, sigma=1), K=1)", {"y": [0.0, 1.0, 1e200]}),
    )
    picture = far.plot("residuals")
    assert picture.data["residual"].tolist()[-1] == pytest.approx(4)
    assert "At the edge" in picture.labels.caption
    picture.draw()


def by_hand(values: pd.Series, series: list[str], times: list[int], lag: int) -> tuple[float, int]:
    off = values - values.mean()
    products = [
        off.iloc[i] * off.iloc[j]
        for i in range(len(off))
        for j in range(len(off))
        if series[i] == series[j] and times[i] - times[j] == lag
        if not np.isnan(off.iloc[i] * off.iloc[j])
    ]
    return float(np.mean(products) / np.nanmean(off**2)), len(products)


def test_autocorrelations_are_of_pairs_within_series_that_are_seen(chain: sm.Fit) -> None:
    shown = chain.plot("autocorrelation", lags=4).data
    data = pd.DataFrame(dict(chain.model.table.columns))
    found = chain.residuals("forecast")["$y"]
    assert shown["lag"].tolist() == [1, 2, 3, 4]
    for row in shown.itertuples():
        expected, pairs = by_hand(found, list(data["s"]), list(data["t"]), row.lag)
        assert row.correlation == pytest.approx(expected)
        assert row.high == pytest.approx(1.96 / np.sqrt(pairs)) and row.low == -row.high


@pytest.mark.parametrize("lags", [0, True, 1.5, "all"])
def test_lags_are_counted_from_one_on(chain: sm.Fit, lags: object) -> None:
    with pytest.raises(sm.SpecError, match="`lags` must be a whole number"):
        chain.plot("autocorrelation", lags=lags)


def test_residuals_of_another_kind_are_refused(mixture: sm.Fit) -> None:
    for picture in ("residuals", "autocorrelation"):
        with pytest.raises(sm.SpecError, match="`kind` is one of"):
            mixture.plot(picture, kind="pearson")
    with pytest.raises(sm.SpecError, match="no forecasts"):
        mixture.plot("residuals", kind="forecast")


@pytest.mark.parametrize("y", [[3.0, 4.0], [3.0] * 9])
def test_short_series_and_equal_rows_have_no_autocorrelation(y: list[float]) -> None:
    fit = fitted("y ~ mix(normal(sigma=1), K=1)", {"y": y}, priors={"mu": "normal(0, 5)"})
    with pytest.raises(sm.SpecError, match="too short"):
        fit.plot("autocorrelation")


def test_one_lag_and_one_row_are_drawn(chain: sm.Fit) -> None:
    chain.plot("autocorrelation", lags=1).draw()
    fitted("y ~ mix(poisson, K=1)", {"y": [3]}).plot("residuals").draw()


@pytest.fixture(scope="module")
def elpd(mixture: sm.Fit) -> sm.Elpd:
    """With terms of every kind."""
    with unconverged():
        found = mixture.loo()
    terms = found.terms.copy()
    terms["pareto_k"] = np.linspace(-0.2, 0.4, len(terms))
    terms.iloc[[2, 5], terms.columns.get_loc("pareto_k")] = [0.9, np.inf]
    terms.iloc[7, terms.columns.get_loc("pareto_k")] = np.nan
    terms["refitted"] = np.arange(len(terms)) == 7
    return replace(found, terms=terms)


def test_each_term_stands_at_its_k(elpd: sm.Elpd) -> None:
    picture = elpd.plot()
    shown = picture.data
    assert len(shown) == len(elpd.terms)
    plain = ~shown.index.isin([5, 7])
    assert shown["shown"][plain].tolist() == elpd.terms["pareto_k"].to_numpy()[plain].tolist()
    assert shown["shown"][5] == shown["shown"].max() > 1
    assert shown["shown"][7] == shown["shown"].min() < -0.2
    kinds = shown["kind"].value_counts().to_dict()
    assert kinds == {"trusted": len(shown) - 3, "not trusted": 2, "fitted again": 1}
    picture.draw()


def test_bad_terms_are_named_and_names_do_not_meet(elpd: sm.Elpd) -> None:
    named = layer_with(elpd.plot(), "name", "x", "y")
    bad = elpd.bad.sort_values("pareto_k", ascending=False)
    assert [name[-3:] for name in named["name"]] == [str(name)[-3:] for name in bad.index]
    terms = elpd.terms.copy()
    terms["pareto_k"] = 0.95
    many = replace(elpd, terms=terms).plot()
    names = layer_with(many, "name", "x", "y")
    assert (-np.diff(names["y"])).min() > 0.05
    assert f"worst 8 of {len(terms)}" in many.labels.caption
    many.draw()


def test_terms_without_k_have_no_picture(mixture: sm.Fit) -> None:
    with unconverged():
        loo, waic = mixture.loo(), mixture.waic()
    without = replace(loo, terms=loo.terms.assign(pareto_k=np.nan))
    refitted = replace(loo, terms=without.terms.assign(refitted=True))
    for found in (waic, without, refitted):
        with pytest.raises(sm.SpecError, match="has no Pareto k"):
            pareto_k(found)
