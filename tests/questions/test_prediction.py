"""Predicted responses: distributed as the model says at every draw of its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from tests.cases import CASES, FRAME, UNITS, Case
from tests.questions.conftest import QUICK
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

MANY = 20_000
ALPHA = 1e-4


def at(fit: sm.Fit, draw: int = 0) -> dict[str, Any]:
    posterior = fit.draws["posterior"].to_dataset().isel(chain=0, draw=draw)
    return {str(name): values.values for name, values in posterior.items()}


def test_rows_not_seen_are_drawn_from_the_mixture_and_seen_ones_from_their_component(
    mixture: sm.Fit,
) -> None:
    rows = {"y": np.full(MANY, 0.0)}
    d = at(mixture)
    found = mixture.predict(rows, draws=1)
    y, states = found["y"][0, 0].values, found["states"][0, 0].values
    assert stats.binomtest(int((states == 1).sum()), MANY, d["weights"][0]).pvalue > ALPHA
    for k in (0, 1):
        part = stats.norm(d["mu"][k], d["sigma"][k])
        assert stats.kstest(y[states == k + 1], part.cdf).pvalue > ALPHA
    again = mixture.predict(rows, draws=1, given="responses")["states"][0, 0].values
    p = mixture.responsibility({"y": [0.0]}, draws=1).values[0, 0, 0, 0]
    assert stats.binomtest(int((again == 1).sum()), MANY, p).pvalue > ALPHA


def test_responses_need_not_be_there_and_do_not_matter_if_nothing_is_given(
    mixture: sm.Fit,
) -> None:
    one = mixture.predict({"x": np.arange(5)})
    two = mixture.predict({"y": np.arange(5.0)})
    assert one["y"].sizes == {"chain": 2, "draw": 100, "obs": 5}
    np.testing.assert_array_equal(one["y"], two["y"])
    with pytest.raises(sm.DataError, match="no column `y`"):
        mixture.predict({"x": np.arange(5)}, given="responses")


def test_a_new_series_starts_and_moves_as_the_chain_does(chain: sm.Fit) -> None:
    n = 4000
    data = pd.DataFrame({"s": np.repeat(np.arange(n), 3), "t": np.tile([1, 2, 3], n)})
    data["x"], data["b"] = np.tile([0.0, 1.0, -1.0], n), 1.0
    found = chain.predict(data, draws=1)
    states = found["states"][0, 0].values.reshape(n, 3) - 1
    d = at(chain)

    def softmax(eta: Any) -> Any:
        return np.exp(eta) / np.exp(eta).sum(axis=-1, keepdims=True)

    p = softmax(d["beta_initial"] @ [1.0, 1.0])
    for t, x in enumerate([None, 1.0, -1.0]):
        if x is not None:
            p = p @ softmax(d["beta_transition"] @ [1.0, x])
        counts = np.bincount(states[:, t], minlength=3)
        assert stats.chisquare(counts, n * p).pvalue > ALPHA
    y = found["y"][0, 0].values.reshape(n, 3)
    assert y[states == 2].mean() == pytest.approx(d["rate"][2], rel=0.05)


def test_a_forecast_goes_on_from_where_the_chain_is(chain: sm.Fit) -> None:
    """State probabilities ahead are those at the end, moved on; over many seeds at one draw."""
    fit = sm.fit("y ~ hmm(poisson, states=2)", {"y": [1, 0, 2, 9, 11, 8, 9]}, **QUICK)
    d = at(fit)
    p = fit.filtering(draws=1)[0, 0, -1].values
    drawn = [fit.forecast(3, draws=1, seed=s) for s in range(400)]
    for step in (1, 2, 3):
        p = p @ d["transition"]
        first = [int(f["states"][0, 0, step - 1]) == 1 for f in drawn]
        assert stats.binomtest(sum(first), 400, p[0]).pvalue > ALPHA
    seen = [(int(f["states"][0, 0, 0]), float(f["y"][0, 0, 0])) for f in drawn]
    high = np.array([y for state, y in seen if state == 2])
    assert abs(high.mean() - d["rate"][1]) < 4 * np.sqrt(d["rate"][1] / len(high))


def test_a_forecast_of_several_series_needs_their_covariates_and_later_times(
    chain: sm.Fit,
) -> None:
    with pytest.raises(sm.SpecError, match=r"needs `x`, `b` of the rows ahead"):
        chain.forecast(2)
    ahead = pd.DataFrame(
        {"s": ["y", "x", "x"], "t": [6, 7, 6], "x": 0.5, "b": [1.0, 0.0, 0.0]},
        index=["a", "b", "c"],
    )
    found = chain.forecast(newdata=ahead)
    assert found["step"].values.tolist() == [1, 2, 1]
    assert found["series"].values.tolist() == ["y", "x", "x"]
    assert found["time"].values.tolist() == [6, 7, 6]
    assert found["obs"].values.tolist() == ["a", "b", "c"]
    with pytest.raises(sm.DataError, match="`t` must be later than in the fit; row 1"):
        chain.forecast(newdata=ahead.assign(t=[6, 5, 6]))
    with pytest.raises(sm.DataError, match="no column `b`"):
        chain.forecast(newdata=ahead.drop(columns="b"))
    with pytest.raises(sm.SpecError, match="Give `h`, or `newdata`"):
        chain.forecast(2, newdata=ahead)
    with pytest.raises(sm.SpecError, match="`h` must be a whole number from 1 on"):
        chain.forecast()


def test_a_forecast_of_units_and_gaps_counts_steps_of_time() -> None:
    data = {"y": [0.0, 0.2, 5.0, 5.1, 4.9, 0.1], "u": [1, 1, 2, 2, 3, 3], "t": [1, 1, 2, 2, 5, 5]}
    fit = short_fit("y | unit(u) + time(t) ~ hmm(normal(sigma=1), states=2)", data)
    found = fit.forecast(2)
    assert found["time"].values.tolist() == [6, 7]
    assert found["y"].sizes["obs"] == 2


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("cbind(y, x) ~ mix(normal, K=2)", ["y", "x"]),
        ("rt | dec(choice) ~ mix(rdm, K=1)", ["rt", "choice"]),
        ("successes | trials(id) ~ mix(binomial, K=1)", ["successes"]),
        ("subject ~ mix(categorical, K=2)", ["subject"]),
        ("cbind(y, subject) ~ hmm(normal & categorical, states=2)", ["y", "subject"]),
    ],
)
def test_responses_of_all_kinds_are_predicted(formula: str, columns: list[str]) -> None:
    data = FRAME.assign(id=FRAME["successes"] + 10)
    fit = short_fit(formula, data)
    found = fit.predict(data[["id"]])
    assert list(found.data_vars) == columns
    for name in columns:
        assert found[name].sizes["obs"] == 24
        drawn, known = set(np.ravel(found[name])), set(data[name])
        assert drawn <= known or found[name].dtype.kind == "f"
    assert found.notnull().all().to_array().all()


def test_responses_are_predicted_within_the_bounds_in_which_they_are_seen() -> None:
    data = FRAME.assign(low=np.where(np.arange(24) % 2, -1e3, FRAME["y"].min() - 1))
    fit = short_fit("y | trunc(lb=low) ~ mix(normal, K=1)", data)
    drawn = fit.predict()["y"]
    assert (drawn > data["low"].to_numpy()).all()
    with pytest.raises(sm.DataError, match="no column `low`"):
        fit.predict({"z": [1.0]})


def test_groups_that_are_new_have_effects_from_their_distribution() -> None:
    rng = np.random.default_rng(1)
    effects = rng.normal(0, 3, 8)
    data = pd.DataFrame({"g": np.repeat(list("abcdefgh"), 10)})
    data["y"] = np.repeat(effects, 10) + rng.normal(size=80)
    fit = sm.fit("y ~ mix(normal, K=1)\nmu ~ (1 | g)", data, **(QUICK | {"adapt_delta": 0.97}))
    posterior = fit.draws["posterior"]
    old = fit.predict({"g": ["a", "b"]})["y"]
    np.testing.assert_allclose(old.mean(("chain", "draw")), effects[:2], atol=1.0)
    with pytest.raises(sm.DataError, match="must hold groups of the fit"):
        fit.predict({"g": ["new"]})
    new = fit.predict({"g": ["new", "new", "other"]}, new_groups="draw", draws=None)["y"]
    sd = posterior["sd_g_mu"].values.ravel()
    sigma = posterior["sigma"].values.ravel()
    mu = posterior["mu"].values.ravel()
    u = stats.norm(mu, np.hypot(sd, sigma)).cdf(new[..., 0].values.ravel())
    assert stats.kstest(u, "uniform").pvalue > ALPHA
    same, apart = (
        np.corrcoef(new[..., 0].values.ravel(), new[..., i].values.ravel()) for i in (1, 2)
    )
    assert same[0, 1] > 0.5 and abs(apart[0, 1]) < 0.3


def test_weights_that_vary_give_every_row_its_own_mixture() -> None:
    fit = short_fit("y ~ mix(normal, K=2)\nweights ~ b", UNITS)
    found = fit.predict({"b": np.repeat([0.0, 1.0], MANY // 2)}, draws=1)
    states = found["states"][0, 0].values.reshape(2, -1)
    eta = at(fit)["beta_weights"] @ np.array([[1.0, 1.0], [0.0, 1.0]])
    p = np.exp(eta[0]) / np.exp(eta).sum(axis=0)
    for b in (0, 1):
        assert stats.binomtest(int((states[b] == 1).sum()), MANY // 2, p[b]).pvalue > ALPHA


def test_predictions_are_the_same_until_another_seed_is_given(mixture: sm.Fit) -> None:
    assert mixture.predict().equals(mixture.predict())
    assert not mixture.predict().equals(mixture.predict(seed=3))
    with pytest.raises(sm.SpecError, match="`seed` must be a whole number from 0 on, not -1"):
        mixture.predict(seed=-1)
    with pytest.raises(sm.SpecError, match="`given` is one of `nothing`"):
        mixture.predict(given="all")
    with pytest.raises(sm.SpecError, match=r"mixture has no `forecast`; ask for predict\(\)"):
        mixture.forecast(3)


@pytest.mark.filterwarnings("ignore::stanmix.errors.ConvergenceWarning")
def test_a_row_that_is_impossible_at_some_draws_has_no_prediction_there() -> None:
    rng = np.random.default_rng(1)
    fit = sm.fit("rt ~ mix(wald(drift=3), K=1)", {"rt": 0.3 + rng.gamma(2, 0.2, 40)}, **QUICK)
    early = float(fit.draws["posterior"]["ndt"].median())
    found = fit.predict({"rt": [early]}, given="responses")
    assert 0.3 < (found["states"] == 0).mean() < 0.7
    assert (found["rt"].isnull() == (found["states"] == 0)).all()


@pytest.mark.filterwarnings("ignore::stanmix.errors.StanmixWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_model_predicts_the_rows_it_has_seen_and_others_like_them(case: Case) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    fit = model.fit(engine="stanli", chains=1, warmup=5, draws=5, seed=1)
    columns = [c for r in model.spec.responses if not r.addition for c in r.columns]
    for options in ({}, {"given": "responses"}):
        found = fit.predict(**options)
        assert found.sizes["obs"] == model.table.n_rows
        assert set(columns) <= set(found.data_vars)
        assert found.notnull().all().to_array().all()


def test_rows_without_their_number_of_trials_have_no_prediction() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"k": rng.binomial(10, [0.2, 0.7] * 12), "n": 10})
    fit = short_fit("k | trials(n) ~ hmm(binomial, states=2)", data)
    with pytest.raises(sm.DataError, match="`n` must have no missing values"):
        fit.predict({"n": [10, np.nan]})
    with pytest.raises(sm.DataError, match="`n` must have no missing values"):
        fit.forecast(newdata={"n": [10, np.nan]})
