"""Vectors that vary by row: coefficients, groups and priors of each of their elements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import stanli
from scipy import stats
from scipy.special import log_softmax

import stanmix as sm
from stanmix.engines import engine
from tests.cases import FRAME
from tests.test_regression import (
    NEW,
    Draw,
    choice_of,
    evaluated,
    interval,
    points,
    require_draws_to_be_starting_points,
    require_recovered,
    short_fit,
    subject_of,
)

pytestmark = pytest.mark.engine


def multi_normal(d: Draw, means: Any, new: pd.DataFrame) -> list[np.ndarray]:
    """Log densities of `y` and `x` about means (component, row, column)."""
    found = []
    for k in range(2):
        covariance = np.outer(d["sigma"][k], d["sigma"][k]) * d["corr"][k]
        normal = stats.multivariate_normal(np.zeros(2), covariance)
        found.append(normal.logpdf(new[["y", "x"]].to_numpy() - means[k]))
    return found


def race(d: Draw, drift: Any, new: pd.DataFrame) -> list[np.ndarray]:
    """Log densities of response times and choices at drifts (component, accumulator, row)."""
    rt, found = new["rt"].to_numpy(), []
    for k in range(2):
        total = 0.0
        for a in range(2):
            a_threshold = d["threshold"][k]
            wald = stats.invgauss(1 / (a_threshold * drift[k, a]), d["ndt"][k], a_threshold**2)
            total = total + np.where(choice_of(new) == a, wald.logpdf(rt), wald.logsf(rt))
        found.append(total)
    return found


def by_groups_of_means(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, r = d["beta_mu"], d["r_subject_mu"][:, :, subject_of(new)]
    rt = new["rt"].to_numpy()
    mean = b[:, :, None, 0] + r[..., 0] + (b[:, :, None, 1] + r[..., 1]) * rt
    return multi_normal(d, np.swapaxes(mean, 1, 2), new)


def by_groups_of_one_component(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    r = d["r_subject_mu_2"][:, subject_of(new), 0]
    first = np.broadcast_to(d["mu"][0], (len(new), 2))
    return multi_normal(d, np.stack([first, d["mu"][1] + r.T]), new)


def by_groups_of_drifts(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    r = d["r_subject_drift"][:, :, subject_of(new), 0]
    return race(d, d["drift"][..., None] * np.exp(r), new)


def by_scales(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    """Each row by itself, of the columns that it has."""
    rt, found = new["rt"].to_numpy(), []
    for k in range(2):
        b = d["beta_sigma"] if d["beta_sigma"].shape[0] != 2 or "tied" in d else d["beta_sigma"][k]
        b = np.broadcast_to(b, (2, 2))
        corr = d.get("corr", np.eye(2))
        corr = corr[k] if corr.ndim == 3 else corr
        means = d["mu"][k] + 0 * rt[:, None]
        if "beta_mu" in d:
            means = d["beta_mu"][k, :, 0] + np.outer(rt, d["beta_mu"][k, :, 1])
        rows = []
        for n, y in enumerate(new[["y", "x"]].to_numpy()):
            seen = np.flatnonzero(~np.isnan(y))
            sd = np.exp(b[:, 0] + b[:, 1] * rt[n])[seen]
            covariance = np.outer(sd, sd) * corr[np.ix_(seen, seen)]
            rows.append(0.0)
            if seen.size:
                rows[n] = stats.multivariate_normal.logpdf(y[seen], means[n, seen], covariance)
        found.append(np.array(rows))
    return found


def by_probabilities(d: Draw, new: pd.DataFrame, eta: np.ndarray) -> np.ndarray:
    """Log probabilities of the grades of new rows, from predictors (row, grade)."""
    codes = new["grade"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    return log_softmax(eta, axis=1)[np.arange(len(new)), codes]


GRADES = FRAME.assign(grade=["a", "b", "c", "c"] * 6)
NEW_GRADES = NEW.assign(grade=["c", "a", "b", "c"])


@pytest.mark.parametrize("lines", ["prob ~ x + rt", "prob ~ x + rt + (1 + x | subject)"])
@pytest.mark.parametrize("model", ["mix(categorical, K=2)", "hmm(categorical, states=2)"])
def test_coefficients_of_categories_give_the_probabilities_of_new_rows(
    lines: str, model: str
) -> None:
    made = sm.model(f"grade ~ {model}\n{lines}", GRADES)
    names = ["beta_prob", *(f"r_{effect.name}" for effect in made.spec.group_effects)]
    at = points(made)
    for i, d in enumerate(evaluated(made, NEW_GRADES, names)):
        x, rt = NEW_GRADES["x"].to_numpy(), NEW_GRADES["rt"].to_numpy()
        for k in range(2):
            b = d["beta_prob"][k]
            eta = b[:, 0] + np.outer(x, b[:, 1]) + np.outer(rt, b[:, 2])
            if "r_subject_prob" in d:
                r = d["r_subject_prob"][k][:, subject_of(NEW_GRADES)]
                np.testing.assert_allclose(r.sum(axis=0), 0, atol=1e-12)
                eta = eta + (r[..., 0] + r[..., 1] * x).T
            np.testing.assert_allclose(b.sum(axis=0), 0, atol=1e-10)
            expected = by_probabilities(d, NEW_GRADES, eta)
            np.testing.assert_allclose(d["log_omega"][:, k], expected, rtol=1e-9)
        require_gradient(made, {name: values[i] for name, values in at.items()})


def test_probabilities_of_one_component_may_vary_and_rows_may_lack_them() -> None:
    holed = GRADES.assign(grade=GRADES["grade"].where(GRADES.index % 5 > 0))
    made = sm.model("grade ~ mix(categorical, K=2)\nprob[2] ~ x + (1 | subject)", holed)
    new = NEW_GRADES.assign(grade=["c", None, "b", "c"])
    for d in evaluated(made, new, ["beta_prob_2", "r_subject_prob_2"]):
        b, r = d["beta_prob_2"], d["r_subject_prob_2"][:, subject_of(new), 0]
        eta = b[:, 0] + np.outer(new["x"], b[:, 1]) + r.T
        codes = np.array([2, 0, 1, 2])
        plain = np.log(d["prob"][0])[codes]
        moved = log_softmax(eta, axis=1)[np.arange(4), codes]
        expected = np.where(new["grade"].isna(), 0.0, np.stack([plain, moved]))
        np.testing.assert_allclose(d["log_omega"].T, expected, rtol=1e-9)


def test_priors_of_slopes_treat_categories_alike() -> None:
    """Sums to zero of independent contrasts: each has the variance (C - 1) / C."""
    made = sm.model("grade ~ mix(categorical, K=2)\nprob ~ x", GRADES)
    drawn = made.sample_prior(8000, seed=1)["beta_prob"].sel(term_prob="x").values[0]
    sd = 2.5 / FRAME["x"].std(ddof=0) * np.sqrt(2 / 3)
    for k in range(2):
        for c in range(3):
            assert stats.kstest(drawn[:, k, c], stats.norm(0, sd).cdf).pvalue > 1e-4


def test_probabilities_of_categories_are_recovered() -> None:
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"x": rng.normal(size=240), "id": np.repeat(np.arange(60), 4)})
    at = {
        "beta_prob_a": [
            [[1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]],
            [[-1.0, -1.0], [0.0, 1.0], [1.0, 0.0]],
        ],
        "prob_b": [[0.9, 0.1], [0.2, 0.8]],
        "weights": [0.5, 0.5],
    }
    frame["a"], frame["b"] = ["u", "v", "w", "w"] * 60, ["no", "yes"] * 120
    formula = "cbind(a, b) | unit(id) ~ mix(categorical & categorical, K=2)\nprob_a ~ x"
    drawn = sm.simulate(formula, frame, at, seed=1)
    # Labels known for some units keep the others'.
    data = drawn.data.assign(label=drawn.states.astype(float).where(frame["id"] < 20))
    formula = formula.replace("unit(id)", "unit(id) + known(label)")
    fit = sm.fit(formula, data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {name: np.array(value) for name, value in at.items()})
    beta = fit.draws["posterior"]["beta_prob_a"]
    assert beta.dims[2:] == ("state", "category_y_a", "term_prob_a")
    new = pd.DataFrame({"a": ["u", "u"], "b": ["no", "no"], "x": [2.0, -2.0], "id": [1, 2]})
    first = fit.membership(new)[1].to_numpy()
    assert first[0] > first[1]


@pytest.mark.parametrize("cov", ["diag", "full", "tied", "spherical"])
@pytest.mark.parametrize("lines", ["sigma ~ rt", "mu ~ rt; sigma ~ rt"])
@pytest.mark.parametrize("missing", [False, True])
def test_scales_of_each_column_give_the_density_of_new_rows(
    cov: str, lines: str, missing: bool
) -> None:
    new = NEW
    if missing:
        new = NEW.assign(y=NEW["y"].where(np.arange(4) % 2 == 0), x=[1.0, np.nan, np.nan, 2.0])
    data = pd.concat([FRAME, new]) if missing else FRAME
    model = sm.model(f"cbind(y, x) ~ mix(normal, K=2, cov={cov})\n{lines}", data)
    names = [*(r.coefficients for r in model.spec.regressions), "mu"]
    names += ["corr"] if cov in ("full", "tied") else []
    at = points(model)
    for i, draw in enumerate(evaluated(model, new, names)):
        by_state = {**draw, "tied": True} if cov == "tied" else draw
        expected = np.stack(by_scales(by_state, new), axis=1)
        np.testing.assert_allclose(draw["log_omega"], expected, rtol=1e-9, atol=1e-9)
        require_gradient(model, {name: values[i] for name, values in at.items()})


def require_gradient(model: sm.Model, here: Draw) -> None:
    """The gradient is that of central differences of the density."""
    run = stanli.Model(stan_code=model.code, data=dict(model.data))
    point = run.unconstrain({name: np.asarray(value) for name, value in here.items()})
    gradient = run.log_prob_grad(point)[1]
    slopes = []
    for step in np.diag(np.full(len(point), 1e-5)):
        rise = run.log_prob_grad(point + step)[0] - run.log_prob_grad(point - step)[0]
        slopes.append(rise / 2e-5)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-5)


def test_scales_of_columns_are_recovered() -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.normal(size=400)})
    at = {
        "mu": [[-3.0, 0.0], [3.0, 1.0]],
        "beta_sigma": [[[0.0, 0.5], [-1.0, 0.0]], [[-0.5, -0.5], [0.5, 0.3]]],
        "corr": [[[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 1.0]]],
        "weights": [0.4, 0.6],
    }
    formula = "cbind(u, v) ~ mix(normal, K=2, order=mu[u])\nsigma ~ x"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {name: np.array(at[name]) for name in ("mu", "beta_sigma")})
    low, high = (corr[:, 0, 1] for corr in interval(fit, "corr"))
    assert ((low < [0.5, -0.3]) & (high > [0.5, -0.3])).all()


@pytest.mark.parametrize(
    ("formula", "log_omega"),
    [
        ("cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + (1 + rt | subject)", by_groups_of_means),
        ("cbind(y, x) ~ hmm(normal, states=2)\nmu ~ rt + (rt || subject)", by_groups_of_means),
        (
            "cbind(y, x) ~ mix(normal, K=2, order=none)\nmu[2] ~ (1 | subject)",
            by_groups_of_one_component,
        ),
        ("rt | dec(choice) ~ mix(rdm, K=2)\ndrift ~ (1 | subject)", by_groups_of_drifts),
    ],
)
def test_coefficients_and_groups_give_the_density_of_new_rows(
    formula: str, log_omega: Callable[[Draw, pd.DataFrame], list[np.ndarray]]
) -> None:
    model = sm.model(formula, FRAME)
    names = [r.coefficients for r in model.spec.regressions if r.columns]
    names += [p.name for p in model.spec.parameters if p.constraint == "correlation"]
    names += [p.name for p in model.spec.parameters if p.axes == ("state", "column")]
    names += [f"r_{effect.name}" for effect in model.spec.group_effects]
    for draw in evaluated(model, NEW, names):
        expected = np.stack(log_omega(draw, NEW), axis=1)
        np.testing.assert_allclose(draw["log_omega"], expected, rtol=1e-9, atol=1e-9)


def density(model: sm.Model, here: Draw) -> float:
    return engine("stanli").log_density(model.program, model.data, here)[0]


def density_of_slopes(formula: str, priors: dict[str, str], name: str = "slope_mu") -> Any:
    """What the default prior of slopes gives more than others do, and the slopes."""
    default, given = sm.model(formula, FRAME), sm.model(formula, FRAME, priors=priors)
    here = {key: values[0] for key, values in points(default).items()}
    return density(default, here) - density(given, here), here[name]


def test_slopes_of_every_column_have_a_prior_of_its_own_scale() -> None:
    formula = "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + positive"
    more, slopes = density_of_slopes(formula, {"beta_mu": "normal(0, 1)"})
    y, x = FRAME[["y", "x"]].std(ddof=0), FRAME[["rt", "positive"]].std(ddof=0)
    scale = 2.5 * np.divide.outer(y.to_numpy(), x.to_numpy())
    expected = stats.norm.logpdf(slopes, 0, scale) - stats.norm.logpdf(slopes, 0, 1)
    assert more == pytest.approx(expected.sum(), rel=5e-3)


def test_vectors_of_a_prior_are_one_a_column() -> None:
    formula = "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + positive"
    priors = {"beta_mu": "normal(0, [[1, 2], [3, 4]])", "beta_mu[2, x, rt]": "normal(1, 5)"}
    plain = {"beta_mu": "normal(0, 1)"}
    one, other = (sm.model(formula, FRAME, priors=p) for p in (priors, plain))
    here = {name: values[0] for name, values in points(one).items()}
    slopes, mean, sd = here["slope_mu"], np.zeros((2, 2, 2)), np.array([[[1, 2], [3, 4.0]]] * 2)
    mean[1, 1, 0], sd[1, 1, 0] = 1, 5
    expected = stats.norm.logpdf(slopes, mean, sd) - stats.norm.logpdf(slopes, 0, 1)
    assert density(one, here) - density(other, here) == pytest.approx(expected.sum(), abs=1e-9)
    drawn = one.sample_prior(4000, seed=1)["beta_mu"].values[0, ..., 1:]
    assert stats.kstest(((drawn - mean) / sd).ravel(), "norm").pvalue > 1e-4


@pytest.mark.parametrize(
    "formula",
    [
        "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + (1 + rt | subject)",
        "cbind(y, x) ~ mix(normal, K=2)\nmu[2] ~ rt + (1 + rt | subject)",
        "rt | dec(choice) ~ hmm(wald + rdm, states=2)\ndrift ~ x + (1 + x | subject)",
    ],
)
def test_priors_as_they_are_shown_are_the_same_model(formula: str) -> None:
    model = sm.model(formula, FRAME)
    shown = dict(model.priors()[["parameter", "prior"]].itertuples(index=False))
    again = sm.model(formula, FRAME, priors=shown)
    here = {name: values[0] for name, values in points(model).items()}
    assert density(again, here) == pytest.approx(density(model, here), abs=1e-9)


def test_priors_of_elements_win_over_those_of_all() -> None:
    """Independent of the order in which a program writes them."""
    formula = "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + (1 + rt | subject)"
    priors = {
        "beta_mu": "normal(0, 1)",
        "sd_subject_mu": "normal(0, 1)",
        "sd_subject_mu[x]": "normal(0, 3)",
        "sd_subject_mu[2, y, rt]": "normal(0, 9)",
        "cor_subject_mu[2]": "lkj(7)",
    }
    model = sm.model(formula, FRAME, priors=priors)
    plain = {k: v for k, v in priors.items() if "[" not in k}
    other = sm.model(formula, FRAME, priors=plain)
    here = {name: values[0] for name, values in points(model).items()}
    sd = here["sd_subject_mu"]
    scale = np.ones((2, 2, 2))
    scale[:, 1], scale[1, 0, 1] = 3, 9
    expected = (stats.halfnorm.logpdf(sd, 0, scale) - stats.halfnorm.logpdf(sd, 0, 1)).sum()
    # Of matrices of two rows, LKJ is a beta distribution of the correlation on (-1, 1).
    corr = here["cor_subject_mu_cholesky"][1, :, 1, 0]
    lkj = [stats.beta(eta, eta, -1, 2).logpdf(corr) for eta in (7, 2)]
    # The Jacobian between a factor and its correlation is the same for both.
    expected += (lkj[0] - lkj[1]).sum()
    assert density(model, here) - density(other, here) == pytest.approx(expected, abs=1e-8)


def test_groups_of_means_are_recovered_and_new_ones_drawn() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"g": np.repeat(np.arange(20), 12), "x": rng.normal(size=240)})
    r = rng.normal(0, 1, (2, 2, 20, 1)) * [[[[1.0]], [[0.8]]]]
    at = {
        "beta_mu": [[[-4.0, 1.0], [0.0, 0.0]], [[4.0, -1.0], [1.0, 1.0]]],
        "r_g_mu": r,
        "sigma": [[1.5, 1.0], [1.5, 1.0]],
        "corr": [np.eye(2) + 0.3 * (1 - np.eye(2))] * 2,
        "weights": [0.5, 0.5],
    }
    formula = "cbind(u, v) ~ mix(normal, K=2)\nmu ~ x + (0 + x | g)"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {"sigma": np.array(at["sigma"])})
    low, high = (corr[:, 0, 1] for corr in interval(fit, "corr"))
    assert ((low < 0.3) & (high > 0.3)).all()
    effects = fit.draws["posterior"]["r_g_mu"]
    assert effects.dims[2:] == ("state", "column", "group_g", "effect_g_mu")
    mean, sd = effects.mean(("chain", "draw")), effects.std(("chain", "draw"))
    assert np.abs((mean - r) / sd).max() < 4
    low, high = interval(fit, "sd_g_mu")
    assert ((low < [[[1.0], [0.8]]]) & (high > [[[1.0], [0.8]]])).all()
    new = pd.DataFrame({"u": [-4.0], "v": [0.0], "x": [0.0], "g": ["another"]})
    with pytest.raises(sm.DataError, match="must hold groups of the fit"):
        fit.responsibility(new)
    assert (fit.responsibility(new, new_groups="draw").mean(("chain", "draw"))[0, 0] > 0.99).all()


def test_groups_of_drifts_are_recovered() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"g": np.repeat(np.arange(12), 25)})
    r = rng.normal(0, 0.4, (1, 2, 12, 1))
    at = {
        "threshold": [1.2],
        "drift": [[3.0, 1.5]],
        "ndt": [0.2],
        "r_g_drift": r,
        "weights": [1.0],
    }
    formula = "rt | dec(choice) ~ mix(rdm, K=1)\ndrift ~ (1 | g)"
    frame["choice"] = np.tile([1, 2], 150)
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {n: np.array(at[n]) for n in ("threshold", "ndt", "drift", "r_g_drift")})


@pytest.mark.parametrize(
    "formula",
    [
        "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + (1 + rt | subject)",
        "grade ~ mix(categorical, K=2)\nprob ~ rt + (1 + rt | subject)",
    ],
)
def test_draws_of_groups_of_vectors_are_starting_points_and_are_kept(
    formula: str, tmp_path: Path
) -> None:
    fit = short_fit(formula, GRADES)
    require_draws_to_be_starting_points(fit)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    assert again.model.spec == fit.model.spec
    assert again.log_omega(NEW_GRADES).equals(fit.log_omega(NEW_GRADES))
