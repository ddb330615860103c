"""Cross-validation: importance sampling against fits without what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import stanmix as sm
from stanmix.elpd import Elpd
from stanmix.importance import psis, smoothed
from stanmix.questions.asking import ask
from stanmix.questions.terms import leave_out
from stanmix.refits import binding, fit_without
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

COUNTS = [4, 5, 3, 4, 5, 12, 14, 11, 13, 12, 4, 5, 3, 2, 5, 6]


@pytest.fixture(scope="module")
def mixture() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(-2, 1, 8), rng.normal(2, 0.5, 12)])
    return sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", seed=8)


@pytest.fixture(scope="module")
def chain() -> sm.Fit:
    data = {"y": COUNTS}
    return sm.fit("y ~ hmm(poisson, states=2)", data, engine="stanli", seed=1, draws=2500)


def apart(one: pd.DataFrame, other: pd.DataFrame) -> Any:
    """How many of their common Monte Carlo errors terms are apart."""
    return abs(one["elpd"] - other["elpd"]) / np.hypot(one["mcse"], other["mcse"])


def test_importance_sampling_agrees_with_fits_without_each_row(mixture: sm.Fit) -> None:
    sampled = mixture.loo(refit=True)
    exact = mixture.kfold(k=20)
    assert sampled.terms["pareto_k"].dropna().le(sampled.good_k).all()
    assert (apart(sampled.terms, exact.terms) < 4).all()
    assert sampled.elpd == pytest.approx(exact.elpd, abs=4 * np.hypot(sampled.mcse, exact.mcse))


def test_terms_of_a_conjugate_model_are_those_of_its_exact_predictive() -> None:
    """One component with known spread: its predictive density is a normal distribution."""
    y = np.array([0.3, -1.2, 0.8, 2.5, -0.4, 1.1, 0.0, -2.0])
    priors = {"mu": "normal(0, 2)"}
    fit = sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": y}, priors=priors, engine="stanli", seed=1)
    terms = fit.loo().terms
    for i, value in enumerate(y):
        others = np.delete(y, i)
        variance = 1 / (1 / 4 + len(others))
        exact = stats.norm(variance * others.sum(), np.sqrt(1 + variance)).logpdf(value)
        assert abs(terms["elpd"][i] - exact) < 4 * terms["mcse"][i]


def test_a_row_that_only_its_own_fit_can_predict_is_named_and_refitted() -> None:
    y = np.array([0.3, -1.2, 0.8, 0.5, -0.4, 1.1, 0.0, 5.0])
    priors = {"mu": "normal(0, 20)", "sigma": "inv_gamma(3, 1)"}
    fit = sm.fit("y ~ mix(normal, K=1)", {"y": y}, priors=priors, engine="stanli", seed=1)
    with pytest.warns(sm.ConvergenceWarning, match=r"Pareto k is above 0.70 for 1 term"):
        sampled = fit.loo()
    assert sampled.bad.index.tolist() == [7]
    assert "for 1 term (7), which are not to be trusted" in repr(sampled)
    again = fit.loo(refit=True)
    assert again.terms["refitted"].tolist() == [False] * 7 + [True]
    others = y[:7]

    def joint(sigma: float, more: Any = ()) -> float:
        seen = np.append(others, more)
        mean, cov = np.zeros(len(seen)), sigma**2 * np.eye(len(seen)) + 400
        prior = stats.invgamma(3).pdf(sigma)
        return float(prior * stats.multivariate_normal(mean, cov).pdf(seen))

    without = integrate.quad(joint, 0.05, 40)[0]
    exact = np.log(integrate.quad(joint, 0.05, 40, args=([5.0],))[0] / without)
    assert abs(again.terms["elpd"][7] - exact) < 4 * again.terms["mcse"][7]


def test_one_copy_of_a_row_that_counts_twice_is_left_out() -> None:
    y, n = [-2.0, -1.5, 2.0, 2.2, 3.0], [1, 3, 2, 1, 4]
    formula = "y ~ mix(normal(sigma=1), K=2)"
    few = sm.fit(formula.replace("y", "y | freq(n)", 1), {"y": y, "n": n}, engine="stanli", seed=1)
    every = sm.model(formula, {"y": np.repeat(y, n)}, priors={"mu": "normal(0, 5)"})
    asked = ask(few, draws=None)
    counted = few.loo()
    # The same draws, asked of the rows written out.
    written = sm.Fit(every, few.draws, few.engine)
    densities = leave_out(ask(written, draws=None), None).log_densities()
    each = psis(densities)["elpd"]
    np.testing.assert_allclose(np.repeat(counted.terms["elpd"], n), each)
    assert counted.elpd == pytest.approx(each.sum())
    assert counted.se == pytest.approx(np.sqrt(len(each)) * each.std())
    assert asked.n_draws == 4000


def test_the_future_by_importance_sampling_agrees_with_fits_to_the_past(chain: sm.Fit) -> None:
    sampled, exact = chain.loo("future"), chain.loo("future", refit=True)
    assert sampled.terms.index.tolist() == exact.terms.index.tolist() == list(range(4, 16))
    assert sampled.terms["refitted"].sum() < 6 and exact.terms["refitted"].all()
    assert (apart(sampled.terms, exact.terms)[1:] < 4).all()
    assert sampled.question == "each row, predicted from those before it"


def test_a_series_left_out_has_groups_that_are_not_known() -> None:
    """Its effect is integrated over: by quadrature here, in a model that is otherwise known."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"s": np.repeat(list("abcdef"), 4), "y": rng.normal(0, 1, 24)})
    data["y"] += np.repeat(rng.normal(0, 1.5, 6), 4)
    formula = "y | series(s) ~ hmm(normal(sigma=1), states=1)\nmu ~ (1 | s)"
    priors = {"mu": "normal(0, 3)", "sd_s_mu": "normal(0, 2)"}
    fit = sm.fit(formula, data, priors=priors, engine="stanli", seed=1, adapt_delta=0.95)
    exact = fit.kfold("series", k=6)
    for s, rows in data.groupby("s"):
        rest = data[data["s"] != s]

        def joint(sd: float, seen: pd.DataFrame) -> float:
            same = seen["s"].to_numpy()[:, None] == seen["s"].to_numpy()
            cov = np.eye(len(seen)) + sd**2 * same + 9
            prior = 2 * stats.norm(0, 2).pdf(sd)
            return float(prior * stats.multivariate_normal(np.zeros(len(seen)), cov).pdf(seen["y"]))

        whole, without = (integrate.quad(joint, 0, 15, args=(d,))[0] for d in (data, rest))
        term = exact.terms.loc[s]
        assert abs(term["elpd"] - np.log(whole / without)) < 4 * term["mcse"], s
        assert len(rows) == 4


def test_waic_is_close_to_loo_where_both_can_be_trusted() -> None:
    spread = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    y = np.concatenate([spread - 3, spread + 3])
    fit = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", seed=1)
    waic, loo = fit.waic(), fit.loo()
    assert waic.elpd == pytest.approx(loo.elpd, abs=0.3)
    assert 3 < loo.p < 7 and waic.p == pytest.approx(loo.p, abs=0.3)


def test_waic_is_not_for_the_rows_of_a_chain(chain: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="only series are"):
        chain.waic()


def test_some_terms_estimate_the_sum_of_all(mixture: sm.Fit) -> None:
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.normal(-3, 1, 120), rng.normal(2, 2, 180)])
    fit = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", seed=1)
    whole, part = fit.loo(), fit.loo(some=60)
    assert part.terms["elpd"].notna().sum() == 60 and len(part.terms) == 300
    assert abs(part.elpd - whole.elpd) < 4 * part.mcse < 4
    assert part.se == pytest.approx(whole.se, rel=0.35)
    assert part.terms["elpd"].dropna().isin(whole.terms["elpd"]).all()
    assert "worked out for 60 terms" in repr(part)


def test_all_is_said_of_a_sum(mixture: sm.Fit) -> None:
    found: Elpd = mixture.loo()
    assert repr(found).startswith("PSIS-LOO: each row, predicted from the others\nelpd -26")
    assert found.elpd == pytest.approx(found.terms["elpd"].sum())
    assert found.p == pytest.approx((found.terms["lpd"] - found.terms["elpd"]).sum())
    assert found.se == pytest.approx(np.sqrt(20) * found.terms["elpd"].std())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "row"}, "`kind` is one of"),
        ({"kind": "unit"}, "it has no units to leave out; `kind` is one of `observation`"),
        ({"kind": "series"}, "has no series"),
        ({"kind": "future"}, "A mixture has no future"),
        ({"first": 3}, '`first` is for `kind="future"`'),
        ({"some": 1}, "`some` must be a whole number from 2 on"),
    ],
)
def test_what_cannot_be_left_out_is_refused(
    mixture: sm.Fit, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        mixture.loo(**options)


def test_folds_and_first_steps_that_make_no_sense_are_refused(
    mixture: sm.Fit, chain: sm.Fit
) -> None:
    for options, message in (
        ({"k": 1}, "`k` must be a whole number from 2 to 20"),
        ({"k": 21}, "`k` must be a whole number from 2 to 20"),
        ({"folds": [1, 2]}, "`folds` must be 20 labels"),
        ({"folds": 3}, "`folds` must be 20 labels"),
        ({"folds": np.ones((20, 2))}, "`folds` must be 20 labels"),
        ({"folds": np.ones(20)}, "two folds or more"),
    ):
        with pytest.raises(sm.SpecError, match=message):
            mixture.kfold(**options)
    with pytest.raises(sm.SpecError, match="`first` must be a whole number from 1 to 15"):
        chain.loo("future", first=16)
    with pytest.raises(sm.SpecError, match="Folds are not of the future"):
        chain.kfold("future")


def test_rows_of_the_same_name_have_terms_of_their_own(mixture: sm.Fit) -> None:
    y = mixture.model.table.columns["y"].to_numpy()
    data = pd.DataFrame({"y": y}, index=np.tile(np.arange(10), 2))
    fit = sm.fit("y ~ mix(normal, K=2)", data, engine="stanli", seed=8)
    np.testing.assert_allclose(fit.loo().terms["elpd"], mixture.loo().terms["elpd"])
    assert fit.loo(some=8).terms["elpd"].notna().sum() == 8
    assert len(sm.compare({"a": fit, "b": fit.kfold(k=2)})) == 2


def test_responses_of_a_chain_whose_labels_are_known_are_predicted_given_them() -> None:
    """Whatever the moves are, so that all fits agree exactly."""
    rng = np.random.default_rng(1)
    z = np.tile([1, 1, 2, 2, 1, 2], 3)
    data = pd.DataFrame({"y": rng.normal(z - 1), "z": z, "s": np.repeat(list("abc"), 6)})
    formula = "y | series(s) + known(z) ~ hmm(normal(mu=0, sigma=1) + normal(mu=1, sigma=1))"
    fit = sm.fit(formula, data, engine="stanli", seed=1, draws=100)
    each = stats.norm(data["z"] - 1, 1).logpdf(data["y"])
    for found in (fit.loo("observation"), fit.loo("future", first=1), fit.kfold("observation")):
        np.testing.assert_allclose(found.terms["elpd"], each[found.terms.index])
    for found in (fit.loo("series"), fit.kfold("series")):
        np.testing.assert_allclose(found.terms["elpd"], each.reshape(3, 6).sum(axis=1))


def test_the_shortest_response_is_predicted_by_a_fit_whose_bound_it_does_not_set() -> None:
    rt = np.array([0.42, 0.7, 0.75, 0.81, 0.9, 1.1, 1.3])
    priors = {"ndt": "normal(0.3, 0.3)"}
    formula = "rt ~ mix(wald(threshold=1, drift=3), K=1)"
    fit = sm.fit(formula, {"rt": rt}, priors=priors, engine="stanli", seed=1)
    with pytest.warns(sm.ConvergenceWarning, match="for 1 term"):
        assert fit.loo().terms["pareto_k"][0] == np.inf

    def density(t: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.log(2 * np.pi * t**3) - (1 - 3 * t) ** 2 / (2 * t))

    def joint(ndt: float, seen: np.ndarray) -> float:
        prior = stats.norm(0.3, 0.3).pdf(ndt)
        return float(prior * np.prod(density(seen - ndt)) if ndt < seen.min() else 0.0)

    whole = integrate.quad(joint, 0, 0.42, args=(rt,))[0]
    without = integrate.quad(joint, 0, 0.7, args=(rt[1:],))[0]
    again = fit.loo(refit=True).terms
    assert again["refitted"].tolist() == [True, *[False] * 6]
    assert abs(again["elpd"][0] - np.log(whole / without)) < 4 * again["mcse"][0]


def test_bounds_of_groups_are_those_of_the_rows_that_remain() -> None:
    data = pd.DataFrame({"g": list("aaabbb"), "rt": [0.5, 0.6, 0.9, 0.4, 0.4, 0.8]})
    fit = short_fit("rt ~ mix(wald(threshold=1, drift=3), K=1)\nndt ~ (1 | g)", data)
    (regression,) = fit.model.spec.regressions
    assert regression.bound is not None and regression.bound.values == (0.5, 0.4)
    left = leave_out(ask(fit, draws=None), "observation")
    assert binding(left).tolist() == [True, False, False, False, False, False]
    for hidden, expected in (([0], (0.6, 0.4)), ([3, 4], (0.5, 0.8)), ([3, 4, 5], (0.5, 0.4))):
        again = fit_without(fit, np.isin(np.arange(6), hidden), 1).model.spec.regressions[0]
        assert again.bound is not None and again.bound.values == expected


def test_folds_may_be_fewer_than_ten_and_hold_no_row_without_a_response() -> None:
    y = [0.0, 0.4, np.nan, 3.9, 4.1, 4.4]
    options: dict[str, Any] = {"engine": "stanli", "seed": 1, "draws": 100}
    fit = sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": y}, **options)
    assert fit.kfold().method == "5-fold cross-validation"
    assert fit.kfold(folds=["a", "b", None, "a", "b", "b"]).method.startswith("2-fold")
    counted = sm.fit("y | freq(n) ~ mix(normal(sigma=1), K=1)", {"y": y, "n": [2] * 6}, **options)
    with pytest.raises(sm.SpecError, match="counts several times cannot be in one fold"):
        counted.kfold()


def test_importance_sampling_needs_draws() -> None:
    with pytest.raises(sm.SpecError, match="needs 100 draws or more"):
        psis(np.zeros((4, 20, 3)))


def test_ties_among_the_largest_ratios_leave_nothing_to_trust() -> None:
    ratios = np.concatenate([np.linspace(-3, 0, 60), np.full(60, 2.0)])
    log_weights, k = smoothed(ratios)
    assert k == np.inf
    assert np.exp(log_weights).sum() == pytest.approx(1)
    assert log_weights[-1] - log_weights[0] == pytest.approx(5)
