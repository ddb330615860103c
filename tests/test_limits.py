"""Censored and truncated responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from stanmix.engines import engine
from tests.cases import FRAME, LIMITED
from tests.test_regression import Draw, evaluated, points, require_recovered

NEW = LIMITED.iloc[[0, 1, 2, 3, 9, 14, 19, 23]]


def mass(distribution: Any, low: Any, high: Any) -> Any:
    """The probability above `low` and up to `high`, from the tail where it keeps its digits."""
    below = distribution.cdf(high) - distribution.cdf(low)
    above = distribution.sf(low) - distribution.sf(high)
    return np.where(distribution.cdf(low) > 0.5, above, below)


def limited(distribution: Any, new: pd.DataFrame, y: str, low: Any, high: Any) -> np.ndarray:
    """The log density of rows as `how` says, of what is seen above `low` and up to `high`."""
    value, how = new[y].to_numpy(), new["how"].to_numpy()
    density = getattr(distribution, "pdf", None) or distribution.pmf
    seen = {
        "none": density(value),
        "left": mass(distribution, low, value),
        "right": mass(distribution, value, high),
        "interval": mass(distribution, value, new[f"{y}_end"].to_numpy()),
    }
    chosen = np.select([how == kind for kind in seen], list(seen.values()))
    with np.errstate(divide="ignore"):
        return np.log(chosen / mass(distribution, low, high))


def normals(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    return [
        limited(stats.norm(d["mu"][k], d["sigma"][k]), new, "y", -9, new["most"]) for k in range(2)
    ]


def trending_students(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    mean = [b[0] + b[1] * new["x"] for b in d["beta_mu"]]
    return [
        limited(stats.t(d["nu"][k], mean[k], d["sigma"][k]), new, "y", -9, 12) for k in range(2)
    ]


def gammas(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    each = [stats.gamma(s, scale=m / s) for m, s in zip(d["mu"], d["shape"], strict=True)]
    return [limited(each[k], new, "positive", 0, np.inf) for k in range(2)]


def walds(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    return [
        limited(
            stats.invgauss(
                1 / (d["threshold"][k] * d["drift"][k]), d["ndt"][k], d["threshold"][k] ** 2
            ),
            new,
            "rt",
            -1,
            9,
        )
        for k in range(2)
    ]


def poissons(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    return [limited(stats.poisson(d["rate"][k]), new, "count", 0, 30) for k in range(2)]


def binomials(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    exact = new.assign(how="none")
    each = [stats.binom(10, p) for p in d["prob"]]
    return [limited(each[k], exact, "successes", 0, 10) for k in range(2)]


ROWS = {
    "y | cens(how, y_end) + trunc(-9, most) ~ mix(normal, K=2)": normals,
    "y | cens(how, y_end) + trunc(-9, 12) ~ hmm(student, states=2)\nmu ~ x": trending_students,
    "positive | cens(how, positive_end) ~ mix(gamma, K=2)": gammas,
    "rt | cens(how, rt_end) + trunc(ub=9) ~ mix(wald, K=2)": walds,
    "count | cens(how, count_end) + trunc(1, 30) ~ mix(poisson, K=2)": poissons,
    "successes | trials(10) + trunc(lb=1) ~ mix(binomial, K=2)": binomials,
}


@pytest.mark.engine
@pytest.mark.parametrize("formula", ROWS)
def test_a_row_has_the_probability_of_what_is_known_of_it(formula: str) -> None:
    model = sm.model(formula, LIMITED)
    names = ["beta_mu"] if "mu ~" in formula else ["prob"] if "binomial" in formula else []
    for d in evaluated(model, NEW, names):
        theirs = np.column_stack(ROWS[formula](d, NEW))
        np.testing.assert_allclose(d["log_omega"], theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.engine
def test_rows_without_a_response_have_no_truncation_either() -> None:
    holed = LIMITED.assign(
        y=LIMITED["y"].where(LIMITED.index % 5 != 2), how=[None, *LIMITED["how"][1:]]
    )
    holed.loc[0, "y"] = np.nan
    model = sm.model("y | cens(how, y_end) + trunc(-9, 12) ~ mix(normal, K=2)", holed)
    for d in evaluated(model, holed, []):
        each = [stats.norm(d["mu"][k], d["sigma"][k]) for k in range(2)]
        theirs = [limited(normal, holed, "y", -9, 12) for normal in each]
        there = holed["y"].notna()
        np.testing.assert_allclose(d["log_omega"][there], np.column_stack(theirs)[there], atol=1e-9)
        assert (d["log_omega"][~there] == 0).all()


@pytest.mark.engine
def test_a_component_that_cannot_be_seen_where_a_row_is_does_not_have_it() -> None:
    far = {"y": [0.2, 0.6, 0.9, 1.5], "lo": [-1, -1, -1, 1.2], "hi": 2.0}
    formula = "y | trunc(lo, hi) ~ mix(normal + uniform(low=0, high=1))"
    model = sm.model(formula, pd.DataFrame(far))
    for d in evaluated(model, pd.DataFrame(far), []):
        assert (d["log_omega"][:3] > -np.inf).all()
        assert np.isfinite(d["log_omega"][3, 0])
        assert d["log_omega"][3, 1] == -np.inf
    wald = sm.model(
        "rt | trunc(ub=hi) ~ mix(wald + uniform(low=0, high=9))",
        pd.DataFrame({"rt": [0.05, 1.0, 2.0], "hi": [0.06, 3, 3]}),
    )
    at = {name: values[0] for name, values in points(wald).items()}
    at["ndt_1"] = np.array(0.5)
    density, gradient = engine("stanli").log_density(wald.program, wald.data, at)
    assert np.isfinite(density)
    assert np.isfinite(gradient).all()


@pytest.mark.engine
def test_rows_count_as_exact_where_new_data_do_not_say_how_they_are_censored() -> None:
    model = sm.model("y | cens(how, y_end) ~ mix(normal, K=2)", LIMITED)
    for d in evaluated(model, NEW[["y"]], []):
        theirs = [stats.norm.logpdf(NEW["y"], d["mu"][k], d["sigma"][k]) for k in range(2)]
        np.testing.assert_allclose(d["log_omega"], np.column_stack(theirs), rtol=1e-9)


@pytest.mark.engine
def test_survival_times_are_recovered_and_new_rows_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    slow = rng.random(500) < 0.5
    time = np.where(slow, 6 * rng.weibull(3, 500), rng.weibull(2, 500))
    end = rng.uniform(1, 9, 500)
    data = {"y": np.minimum(time, end), "c": np.where(time > end, "right", "none")}
    assert 0.2 < (time > end).mean() < 0.35
    fit = sm.fit("y | cens(c) ~ mix(weibull, K=2)", data, engine="stanli", seed=1)
    require_recovered(fit, {"scale": np.array([1.0, 6.0]), "shape": np.array([2.0, 3.0])})
    new = {"y": [0.5, 0.5, 3.0], "c": ["none", "right", "right"]}
    first = fit.membership(new)[1]
    assert first[0] > 0.9
    assert 0.2 < first[1] < 0.8
    assert first[2] < 0.01
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(again.membership(), fit.membership())
    with pytest.raises(sm.SpecError, match="only limits"):
        fit.plot()


@pytest.mark.engine
def test_rows_below_a_limit_and_rounded_rows_are_recovered() -> None:
    rng = np.random.default_rng(3)
    y = np.where(rng.random(400) < 0.5, rng.normal(-2, 1, 400), rng.normal(3, 1.5, 400))
    rounded = rng.random(400) < 0.5
    how = np.where(y < -2.5, "left", np.where(rounded, "interval", "none"))
    begin = np.where(y < -2.5, -2.5, np.where(rounded, np.floor(y), y))
    data = {"y": begin, "how": how, "end": begin + 1}
    formula = "y | cens(how, end) ~ mix(normal, K=2)"
    fit = sm.fit(formula, data, engine="stanli", seed=1, warmup=400, draws=400)
    require_recovered(fit, {"mu": np.array([-2.0, 3.0]), "sigma": np.array([1.0, 1.5])})
    new = {"y": [-2.5, -1.0, 0.0], "how": ["left", "interval", "right"], "end": [0.0, 0.5, 0.0]}
    assert fit.membership(new).idxmax(axis=1).tolist() == [1, 1, 2]


@pytest.mark.engine
def test_truncated_counts_are_recovered_in_a_series() -> None:
    rng = np.random.default_rng(2)
    state = np.cumsum(rng.random(1500) < 0.1) % 2
    y = rng.poisson(np.array([0.8, 5.0])[state])
    while (y == 0).any():
        y = np.where(y == 0, rng.poisson(np.array([0.8, 5.0])[state]), y)
    fit = sm.fit("y | trunc(lb=1) ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", seed=1)
    truth = {"rate": np.array([0.8, 5.0]), "transition": np.array([[0.9, 0.1], [0.1, 0.9]])}
    require_recovered(fit, truth)
    picture = fit.plot()
    assert picture.data["value"].min() == 1
    # What is drawn is what is seen: the curves sum to 1 over counts from 1 on.
    assert picture.data["density"].sum() == pytest.approx(1, abs=0.01)


def test_simulated_responses_lie_between_the_bounds_and_are_not_censored() -> None:
    model = sm.model("y | cens(how, y_end) + trunc(lb=0, ub=most) ~ mix(normal, K=2)", POSITIVE)
    at = {"mu": [-1.0, 4.0], "sigma": [1.0, 1.0], "weights": [0.5, 0.5]}
    drawn = model.simulate(at, seed=1).data
    assert drawn["y"].between(0, POSITIVE["most"]).all()
    assert (drawn["how"] == "none").all()
    assert drawn["y_end"].isna().all()


@pytest.mark.parametrize(
    ("formula", "at"),
    [
        ("y | trunc(0, 5) ~ mix(normal, K=2)", {"mu": [1.0, 4.0], "sigma": [1.0, 1.0]}),
        ("y | trunc(ub=0.3) ~ mix(gamma, K=2)", {"mu": [0.1, 0.2], "shape": [2.0, 9.0]}),
        ("y | cens(how, end) + trunc(3) ~ mix(poisson, K=2)", {"rate": [1.0, 9.0]}),
    ],
)
def test_rows_without_responses_are_simulated_between_bounds(
    formula: str, at: dict[str, Any]
) -> None:
    drawn = sm.simulate(formula, 200, {**at, "weights": [0.5, 0.5]}, seed=1).data
    low, high = {"normal": (0, 5), "gamma": (0, 0.3), "poisson": (3, np.inf)}[
        formula.split("mix(")[1].split(",")[0]
    ]
    assert drawn["y"].between(low, high).all()
    assert drawn["y"].nunique() > 3


def test_rare_responses_are_simulated_however_many_rows_there_are() -> None:
    at = {"mu": [0.0, 9.0], "sigma": [1.0, 1.0], "weights": [0.5, 0.5]}
    drawn = sm.simulate("y | trunc(lb=2.8) ~ mix(normal, K=2)", 20_000, at, seed=1)
    assert drawn.data["y"].min() >= 2.8
    assert (drawn.states == 1).mean() == pytest.approx(0.5, abs=0.02)


def test_what_cannot_be_seen_is_not_simulated_for_ever() -> None:
    model = sm.model("y | trunc(lb=0) ~ mix(normal, K=2)", {"y": np.abs(FRAME["y"])})
    at = {"mu": [-90.0, 4.0], "sigma": [1.0, 1.0], "weights": [0.5, 0.5]}
    with pytest.raises(sm.SpecError, match="Component 1 has next to no responses"):
        model.simulate(at, seed=1)


def test_a_right_censored_row_does_not_bound_a_shift() -> None:
    rows = LIMITED.assign(how=["right", *["none"] * 23], rt=[0.01, *LIMITED["rt"][1:]])
    model = sm.model("rt | cens(how) ~ mix(wald, K=2, share=ndt)", rows)
    assert model.data["rt_minimum"] == LIMITED["rt"][1:].min()
    by_group = sm.model("rt | cens(how) ~ mix(wald, K=2, share=ndt)\nndt ~ (1 | subject)", rows)
    (regression,) = by_group.spec.regressions
    shortest = rows[1:].groupby("subject")["rt"].min()
    assert regression.bound.values == tuple(shortest)


def test_censoring_may_be_said_in_numbers_and_truths() -> None:
    words = sm.model("y | cens(how) ~ mix(normal, K=2)", TWO_SIDED)
    numbers = {"left": -1, "none": 0, "right": 1}
    said = sm.model(
        "y | cens(how) ~ mix(normal, K=2)",
        TWO_SIDED.assign(how=TWO_SIDED["how"].map(numbers)),
    )
    assert (said.data["left_y"] == words.data["left_y"]).all()
    assert (said.data["right_y"] == words.data["right_y"]).all()
    true = TWO_SIDED.assign(how=TWO_SIDED["how"] == "right")
    either = sm.model("y | cens(how) ~ mix(normal, K=2)", true)
    assert (either.data["right_y"] == words.data["right_y"]).all()


POSITIVE = LIMITED.assign(y=LIMITED["y"].abs() + 0.1, y_end=LIMITED["y"].abs() + 3)
TWO_SIDED = LIMITED.assign(how=LIMITED["how"].replace("interval", "none"))
