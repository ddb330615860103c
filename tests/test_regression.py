"""Parameters that vary by row: what the coefficients mean, in the data of the fit and in others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logit

import stanmix as sm
from stanmix.data import read_table
from stanmix.engines import engine
from stanmix.families import FAMILIES
from stanmix.given import given_values
from stanmix.inits import starting_points
from stanmix.program.rows import arrange
from stanmix.program.standata import standata
from tests.cases import FRAME, UNITS

pytestmark = pytest.mark.engine

POINTS = 4

Draw = Mapping[str, np.ndarray]


def by_vectors(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, is_b = d["beta_mu"], (new["subject"] == "b").to_numpy(float)
    found = []
    for k in range(2):
        mean = b[k, :, 0] + np.outer(new["rt"], b[k, :, 1]) + np.outer(is_b, b[k, :, 2])
        covariance = np.outer(d["sigma"][k], d["sigma"][k]) * d["corr"][k]
        normal = stats.multivariate_normal(np.zeros(2), covariance)
        found.append(normal.logpdf(new[["y", "x"]] - mean))
    return found


def by_drifts(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    rt, chosen = new["rt"].to_numpy(), choice_of(new)
    drift = np.exp(d["beta_drift"][..., 0, None] + d["beta_drift"][..., 1, None] * new["x"].values)
    found = []
    for k in range(2):
        total = 0.0
        for a in range(2):
            scale = d["threshold"][k] ** 2
            wald = stats.invgauss(1 / (d["threshold"][k] * drift[k, a]), d["ndt"][k], scale)
            total = total + np.where(chosen == a, wald.logpdf(rt), wald.logsf(rt))
        found.append(total)
    return found


def by_race(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    rt, chosen = new["rt"].to_numpy(), choice_of(new)
    mu = d["beta_mu"][..., 0, None] + d["beta_mu"][..., 1, None] * new["x"].values
    found = []
    for k in range(2):
        times = [stats.lognorm(d["sigma"][k], d["ndt"][k], np.exp(m)) for m in mu[k]]
        found.append(
            sum(np.where(chosen == a, t.logpdf(rt), t.logsf(rt)) for a, t in enumerate(times))
        )
    return found


def by_bias(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    found = []
    for k in range(2):
        drift = d["beta_drift"][k, 0] + d["beta_drift"][k, 1] * new["x"].to_numpy()
        bias = expit(d["beta_bias"][k, 0] + d["beta_bias"][k, 1] * new["x"].to_numpy())
        model = FAMILIES["wiener"].reference(d["threshold"][k], drift, bias, d["ndt"][k])
        found.append(model.logpdf(new["rt"], new["choice"]))
    return found


def by_rates_of_rise(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    drift = d["beta_drift"][..., 0, None] + d["beta_drift"][..., 1, None] * new["x"].to_numpy()
    lba = FAMILIES["lba"].reference
    races = [lba(d["threshold"][k], d["start"][k], drift[k], d["ndt"][k]) for k in range(2)]
    return [race.logpdf(new["rt"], new["choice"]) for race in races]


def choice_of(new: pd.DataFrame) -> np.ndarray:
    return new["choice"].to_numpy() - 1


def subject_of(new: pd.DataFrame) -> np.ndarray:
    return (new["subject"] == "b").to_numpy(int)


def by_groups(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, r, s, g = d["beta_mu"], d["r_subject_mu"], d["r_choice_sigma"], subject_of(new)
    x, c = new["x"], choice_of(new)
    return [
        stats.norm.logpdf(
            new["y"],
            b[k, 0] + r[k, g, 0] + (b[k, 1] + r[k, g, 1]) * x,
            d["sigma"][k] * np.exp(s[k, c, 0]),
        )
        for k in range(2)
    ]


def by_cutpoints(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    """`mu` is 0 where the covariates of the fit are at their means."""
    x, rt = new["x"] - FRAME["x"].mean(), new["rt"] - FRAME["rt"].mean()
    found = []
    for k in range(2):
        mu = d["beta_mu"][k, 0] * x + rt + d["r_subject_mu"][k, subject_of(new), 0]
        upto = expit(np.append(d["cutpoint"][k], np.inf)[new["t"]] - mu)
        below = expit(np.append(-np.inf, d["cutpoint"][k])[new["t"]] - mu)
        found.append(np.log(upto - below))
    return found


def by_groups_of_one(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    rate = d["rate"][0] * np.exp(d["r_subject_rate_1"][subject_of(new), 0])
    return [
        stats.poisson.logpmf(new["count"], rate),
        stats.poisson.logpmf(new["count"], d["rate"][1]),
    ]


def points(model: sm.Model) -> dict[str, np.ndarray]:
    """A few points in the parameters of a model, its slopes far from 0."""
    rng = np.random.default_rng(7)
    starts = starting_points(model.spec, model.data, model.rows, rng)
    drawn = [next(starts) for _ in range(POINTS)]
    stacked = {name: np.stack([d[name] for d in drawn]) for name in drawn[0]}
    scales = ("_local", "_global", "_slab")
    moved = {
        name: values + rng.normal(0, 0.3, values.shape)
        if name[:2] in ("sl", "z_") and not name.endswith(scales)
        else values
        for name, values in stacked.items()
    }
    return {n: np.sort(v) if n.endswith("_order") else v for n, v in moved.items()}


def evaluated(model: sm.Model, newdata: Any, names: list[str]) -> list[Draw]:
    """Variables of the program, and `log_omega` of new rows as (row, state), at some points."""
    table = read_table(newdata)
    rows = arrange(model.spec, table)
    data = standata(model.spec, table, rows, model.encoded, emit=True)
    at = points(model)
    made = engine("stanli").generate(model.program, data, at, [*names, "log_omega"])
    made["log_omega"] = np.swapaxes(made["log_omega"], 1, 2)[:, np.argsort(rows.order)]
    found = {**at, **made}
    return [{name: values[i] for name, values in found.items()} for i in range(POINTS)]


NEW = FRAME.iloc[[3, 7, 8, 20]].assign(x=[1.5, -2.0, 0.3, 9.0])


def by_lines(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b = d["beta_mu"]
    return [
        stats.norm.logpdf(new["y"], b[k, 0] + b[k, 1] * new["x"], d["sigma"][k]) for k in range(2)
    ]


def by_levels(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, is_b = d["beta_mu"], (new["subject"] == "b").astype(float)
    sd = [np.exp(s[0] + s[1] * new["x"] ** 2) for s in d["beta_sigma"]]
    x = new["x"]
    mean = [c[0] + c[1] * x + c[2] * is_b + c[3] * x * is_b for c in b]
    return [stats.norm.logpdf(new["y"], mean[k], sd[k]) for k in range(2)]


def by_rates(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    rate = [new["positive"] * np.exp(b[0] + b[1] * new["x"]) for b in d["beta_rate"]]
    return [stats.poisson.logpmf(new["count"], r) for r in rate]


def by_exposure(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    return [stats.poisson.logpmf(new["count"], new["rt"] * np.exp(b[0])) for b in d["beta_rate"]]


def by_odds(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    chosen = np.stack([(new["choice"] == c).to_numpy(float) for c in (1, 2)])
    prob = [expit(b @ chosen) for b in d["beta_prob"]]
    return [stats.binom.logpmf(new["successes"], 10, p) for p in prob]


def by_one_component(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, nu = d["beta_mu_2"], 1 + np.exp(d["beta_nu_2"][0] + d["beta_nu_2"][1] * np.log(new["rt"]))
    return [
        stats.norm.logpdf(new["y"], d["mu"][0], d["sigma"][0]),
        stats.t.logpdf(new["y"], nu, b[0] + b[1] * new["x"], d["sigma"][1]),
    ]


def by_a_bound(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b, bound = d["beta_ndt"], FRAME["rt"].min()
    ndt = bound * expit(b[0] + b[1] * new["x"])
    wald = [
        stats.invgauss(1 / (a * v), loc=ndt, scale=a**2)
        for a, v in zip(d["threshold"], d["drift"], strict=True)
    ]
    return [w.logpdf(new["rt"]) for w in wald]


def by_bounds_of_groups(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    bounds = FRAME.groupby("subject")["rt"].min().to_numpy()
    share = logit(d["ndt"] / bounds.min()) + d["r_subject_ndt"][subject_of(new), 0]
    ndt = bounds[subject_of(new)] * expit(share)
    return [stats.invgauss(1 / (a * v), ndt, a**2).logpdf(new["rt"]) for a, v in wald_of(d)]


def by_bounds_of_levels(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    bounds = FRAME.groupby("subject")["rt"].min().to_numpy()
    b, is_b = d["beta_ndt"], subject_of(new)
    ndt = bounds[is_b] * expit(b[0] + b[1] * is_b + b[2] * new["x"])
    return [stats.invgauss(1 / (a * v), ndt, a**2).logpdf(new["rt"]) for a, v in wald_of(d)]


def wald_of(d: Draw) -> list[tuple[float, float]]:
    return list(zip(d["threshold"], d["drift"], strict=True))


def by_columns(d: Draw, new: pd.DataFrame) -> list[np.ndarray]:
    b = d["beta_mu_y"]
    return [
        stats.norm.logpdf(new["y"], b[k, 0] + b[k, 1] * new["rt"], d["sigma_y"][k])
        + stats.t.logpdf(new["x"], d["nu_x"][k], d["mu_x"][k], d["sigma_x"][k])
        for k in range(2)
    ]


@pytest.mark.parametrize(
    ("formula", "log_omega"),
    [
        ("y ~ mix(normal, K=2)\nmu ~ x", by_lines),
        ("y | unit(id) ~ hmm(normal, states=2)\nmu ~ x", by_lines),
        ("y ~ mix(normal, K=2)\nmu ~ x*subject\nsigma ~ I(x^2)", by_levels),
        ("count ~ mix(poisson, K=2)\nrate ~ x + offset(log(positive))", by_rates),
        ("count ~ mix(poisson, K=2)\nrate ~ offset(log(rt))", by_exposure),
        ("successes | trials(10) ~ mix(binomial, K=2)\nprob ~ 0 + C(choice)", by_odds),
        ("y ~ mix(normal + student)\nmu[2] ~ x\nnu ~ log(rt)", by_one_component),
        ("rt ~ mix(wald, K=2, share=ndt)\nndt ~ x", by_a_bound),
        ("rt ~ mix(wald, K=2, share=ndt)\nndt ~ (1 | subject)", by_bounds_of_groups),
        ("rt ~ mix(wald, K=2, share=ndt)\nndt ~ subject + x", by_bounds_of_levels),
        ("cbind(y, x) ~ hmm(normal & student, states=2)\nmu[y] ~ rt", by_columns),
        (
            "y ~ mix(normal, K=2)\nmu ~ x + (1 + x | subject); sigma ~ (1 | choice)",
            by_groups,
        ),
        ("count ~ mix(poisson, K=2)\nrate[1] ~ (1 | subject)", by_groups_of_one),
        ("t ~ mix(ordinal, K=2)\nmu ~ x + offset(rt) + (1 | subject)", by_cutpoints),
        ("cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + subject", by_vectors),
        ("rt | dec(choice) ~ hmm(rdm, states=2)\ndrift ~ x", by_drifts),
        ("rt | dec(choice) ~ hmm(lognormal_race, states=2)\nmu ~ x", by_race),
        ("rt | dec(choice) ~ hmm(wiener, states=2)\ndrift ~ x; bias ~ x", by_bias),
        ("rt | dec(choice) ~ hmm(lba, states=2)\ndrift ~ x", by_rates_of_rise),
    ],
)
def test_coefficients_on_the_users_scale_give_the_density_of_new_rows(
    formula: str, log_omega: Callable[[Draw, pd.DataFrame], list[np.ndarray]]
) -> None:
    model = sm.model(formula, FRAME)
    reported = [r for r in model.spec.regressions if r.columns or r.is_offset_alone]
    names = [r.coefficients for r in reported]
    names += [p.name for p in model.spec.parameters if p.constraint == "correlation"]
    names += [f"r_{effect.name}" for effect in model.spec.group_effects]
    for draw in evaluated(model, NEW, names):
        expected = np.stack(log_omega(draw, NEW), axis=1)
        np.testing.assert_allclose(draw["log_omega"], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("terms", ["poly(x, 2)", "bs(x, df=4)", "scale(x)", "center(x)", "C(t)"])
def test_encodings_of_new_rows_are_those_of_the_fit(terms: str) -> None:
    model = sm.model(f"y ~ mix(normal, K=2)\nmu ~ {terms}", FRAME)
    whole = [d["log_omega"] for d in evaluated(model, FRAME, [])]
    alone = [d["log_omega"] for d in evaluated(model, FRAME.iloc[[5]], [])]
    np.testing.assert_allclose(np.array(whole)[:, [5]], alone, rtol=1e-12)


def log_density(
    formula: str, data: Any, at: Draw | None = None, **priors: str
) -> tuple[float, Any]:
    model = sm.model(formula, data, priors={**EXPLICIT, **priors})
    here = at or {name: values[0] for name, values in points(model).items()}
    return engine("stanli").log_density(model.program, model.data, here)[0], here


EXPLICIT = {"mu": "normal(0, 5)", "sigma": "inv_gamma(3, 2)"}


@pytest.mark.parametrize(
    ("free", "fixed", "name", "value", "lower"),
    [
        ("y ~ mix(normal, K=2)", "y ~ mix(normal(sigma=1.5), K=2)", "sigma", 1.5, 0),
        ("y ~ hmm(student, states=2)", "y ~ hmm(student(nu=4), states=2)", "nu", 4.0, 1),
        ("rt ~ mix(wald + gamma)", "rt ~ mix(wald(ndt=0.1) + gamma)", "ndt_1", 0.1, 0),
        ("y ~ mix(skew_normal, K=2)", "y ~ mix(skew_normal(alpha=2), K=2)", "alpha", 2.0, None),
    ],
)
def test_a_fixed_parameter_is_the_free_one_there_less_its_prior(
    free: str, fixed: str, name: str, value: float, lower: float | None
) -> None:
    center = value + 0.5
    others = ("mu", "sigma", "threshold_1", "drift_1", "mu_2", "shape_2")
    explicit = {**dict.fromkeys(others, "normal(1, 3)"), name: f"normal({center}, 2)"}

    def with_priors(formula: str) -> sm.Model:
        named = [p.name for p in sm.model(formula, FRAME).spec.parameters]
        return sm.model(formula, FRAME, priors={n: p for n, p in explicit.items() if n in named})

    of_free, of_fixed = with_priors(free), with_priors(fixed)
    at = {n: v[0] for n, v in points(of_free).items()}
    at[name] = np.full_like(at[name], value)
    stanli = engine("stanli")
    whole = stanli.log_density(of_free.program, of_free.data, at)[0]
    rest = {n: v for n, v in at.items() if n != name}
    conditioned = stanli.log_density(of_fixed.program, of_fixed.data, rest)[0]
    prior = stats.norm.logpdf(value, center, 2)
    if lower is not None:
        # The prior is truncated, and sampled on the scale of log(value - lower).
        prior += np.log(value - lower) - stats.norm.logsf(lower, center, 2)
    assert whole - conditioned == pytest.approx(np.size(at[name]) * prior, abs=1e-9)


@pytest.mark.parametrize("kind", ["mix(normal, K=2)", "hmm(normal, states=2)"])
def test_a_coefficient_of_0_is_the_model_without_it_less_its_prior(kind: str) -> None:
    prior = {"beta_mu": "normal(0, 2)"}
    _, here = log_density(f"y ~ {kind}\nmu ~ rt + x", FRAME, **prior)
    at = {**here, "slope_mu": here["slope_mu"] * [1, 0]}
    larger, _ = log_density(f"y ~ {kind}\nmu ~ rt + x", FRAME, at, **prior)
    at = {**here, "slope_mu": here["slope_mu"][:, :1]}
    smaller, _ = log_density(f"y ~ {kind}\nmu ~ rt", FRAME, at, **prior)
    assert larger - smaller == pytest.approx(2 * stats.norm.logpdf(0, 0, 2), abs=1e-9)


def test_the_order_of_rows_does_not_matter_to_a_mixture_nor_that_of_series_to_an_hmm() -> None:
    mixture = "y ~ mix(normal, K=2)\nmu ~ x + subject\nsigma ~ rt"
    forth, here = log_density(mixture, FRAME)
    assert log_density(mixture, FRAME.iloc[::-1], here)[0] == pytest.approx(forth, abs=1e-9)
    hmm = "y | series(subject) ~ hmm(normal, states=2)\nmu ~ x"
    swapped = pd.concat([FRAME.iloc[12:], FRAME.iloc[:12]])
    forth, here = log_density(hmm, FRAME)
    assert log_density(hmm, swapped, here)[0] == pytest.approx(forth, abs=1e-9)


def interval(fit: sm.Fit, name: str) -> tuple[np.ndarray, np.ndarray]:
    draws = fit.draws["posterior"][name]
    low, high = draws.quantile([0.0005, 0.9995], ("chain", "draw")).values
    return low, high


def require_recovered(fit: sm.Fit, truths: Mapping[str, Any]) -> None:
    assert fit.diagnose().problems == ()
    for name, truth in truths.items():
        low, high = interval(fit, name)
        assert ((low < truth) & (truth < high)).all(), f"{name}: {low} {truth} {high}"


def test_crossing_lines_are_recovered_and_new_rows_told_apart() -> None:
    rng = np.random.default_rng(2)
    x, component = rng.uniform(-2, 2, 300), rng.integers(2, size=300)
    truth = {
        "beta_mu": np.array([[-1.0, 2.0], [1.0, -2.0]]),
        "beta_sigma": np.array([[-1.0, 0.3], [-0.5, 0.0]]),
    }
    eta = {n: b[component, 0] + b[component, 1] * x for n, b in truth.items()}
    y = eta["beta_mu"] + np.exp(eta["beta_sigma"]) * rng.normal(size=300)
    formula = "y ~ mix(normal, K=2)\nmu ~ x\nsigma ~ x"
    fit = sm.fit(formula, {"y": y, "x": x}, engine="stanli", seed=1)
    require_recovered(fit, truth)
    sure = fit.membership({"y": [3.0, 3.0], "x": [2.0, -1.0]})
    assert sure[1][0] > 0.95
    assert sure[2][1] > 0.95


def test_components_may_be_ordered_by_a_slope() -> None:
    """The lines meet where the covariate has its mean: no order of `mu` tells them apart."""
    rng = np.random.default_rng(2)
    x, z, component = *rng.normal(3, 1, (2, 300)), rng.integers(2, size=300)
    b = np.array([[4.0, 0.5, -1.0], [-2.0, -0.5, 1.0]])
    y = b[component, 0] + b[component, 1] * z + b[component, 2] * x + 0.5 * rng.normal(size=300)
    data = {"y": y, "x": x, "z": z}
    fit = sm.fit("y ~ mix(normal, K=2, order=mu:x)\nmu ~ z + x", data, engine="stanli", seed=1)
    require_recovered(fit, {"beta_mu": b})
    assert (fit.draws["posterior"]["beta_mu"].sel(term_mu="x").diff("state") > 0).all()
    assert fit.membership({"y": [0.0], "x": [6.0], "z": [3.0]})[1].item() > 0.99


@pytest.mark.parametrize("line", ["mu ~ rt + x", "mu ~ 0 + rt + x", "sigma ~ x"])
def test_an_order_of_slopes_is_the_model_without_where_they_increase(line: str) -> None:
    """The one difference is the derivative of an increasing vector: its step."""
    name = line.split()[0]
    ordered = sm.model(f"y ~ mix(normal, K=2, order={name}:x)\n{line}", FRAME)
    free = sm.model(f"y ~ mix(normal, K=2, order=none)\n{line}", FRAME)
    here = {n: v[0] for n, v in points(ordered).items()}
    slopes, rest = here.pop(f"slope_{name}_order"), here.pop(f"slope_{name}_rest")
    there = {**here, f"slope_{name}": np.column_stack([rest, slopes])}
    here |= {f"slope_{name}_order": slopes, f"slope_{name}_rest": rest}
    densities = [
        engine("stanli").log_density(m.program, m.data, at)[0]
        for m, at in ((ordered, here), (free, there))
    ]
    assert densities[0] - densities[1] == pytest.approx(np.log(np.diff(slopes)[0]), abs=1e-9)


def test_draws_of_ordered_slopes_are_starting_points_and_are_kept(tmp_path: Path) -> None:
    fit = short_fit("y ~ mix(normal, K=2, order=mu:x)\nmu ~ rt + x", FRAME)
    posterior = fit.draws["posterior"].isel(chain=0, draw=-1)
    given = {str(name): values.values for name, values in posterior.items()}
    sampled = given_values(fit.model.spec, given, 1)
    np.testing.assert_allclose(sampled["slope_mu_order"], posterior["beta_mu"][:, 2], rtol=1e-10)
    with pytest.raises(sm.SpecError, match="`beta_mu` in `inits` of chain 1 must increase"):
        given_values(fit.model.spec, {**given, "beta_mu": given["beta_mu"][::-1]}, 1)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    assert again.log_omega(NEW).equals(fit.log_omega(NEW))


def test_a_slope_of_one_state_is_recovered() -> None:
    rng = np.random.default_rng(3)
    x, state = rng.normal(size=400), np.cumsum(rng.random(400) < 0.1) % 2
    y = rng.poisson(np.where(state == 0, 4.0, np.exp(2 + 0.5 * x)))
    data = {"y": y, "x": x}
    fit = sm.fit("y ~ hmm(poisson, states=2)\nrate[2] ~ x", data, engine="stanli", seed=1)
    require_recovered(fit, {"beta_rate_2": np.array([2.0, 0.5])})


@pytest.mark.parametrize("model", ["mix(normal, K=2)", "mix(normal + student)"])
def test_the_component_with_a_slope_gets_the_rows_that_have_one(model: str) -> None:
    """Every chain, although nothing but the slope tells which component is which."""
    rng = np.random.default_rng(0)
    x, component = rng.normal(2, 1, 400), rng.integers(2, size=400)
    y = np.where(component == 0, 4.0, -8 + 2 * x) + rng.normal(size=400)
    fit = sm.fit(f"y ~ {model}\nmu[2] ~ x", {"y": y, "x": x}, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    slope = fit.draws["posterior"]["beta_mu_2"].sel(term_mu_2="x")
    assert (np.abs(slope.mean("draw") - 2) < 0.4).all()


def test_levels_without_an_intercept_lie_where_the_response_does() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(1000, 1, 200) + np.repeat([0, 3], 100)
    data = {"y": y, "g": np.repeat(["a", "b"], 100)}
    fit = sm.fit("y ~ mix(normal, K=1)\nmu ~ 0 + g", data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {"beta_mu": np.array([[1000.0, 1003.0]]), "sigma": np.array([1.0])})


@pytest.mark.parametrize("line", ["weights ~ x", "weights ~ (1 | subject)"])
def test_one_component_has_the_weight_1_whatever_varies(line: str) -> None:
    fit = short_fit(f"y ~ mix(normal, K=1)\n{line}", FRAME)
    assert (fit.membership() == 1).all(axis=None)


def test_a_prior_of_ones_own_on_the_spread_of_groups_is_no_obstacle_to_starting() -> None:
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | subject)", FRAME)
    shown = dict(model.priors()[["parameter", "prior"]].itertuples(index=False))
    again = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | subject)", FRAME, priors=shown)
    assert points(again).keys() == points(model).keys()


def test_saved_fits_keep_their_encodings(tmp_path: Path) -> None:
    formula = "y ~ mix(normal, K=2)\nmu ~ poly(x, 2) + subject + C(choice)"
    frame = pd.concat([FRAME] * 3, ignore_index=True)
    frame["y"] += np.random.default_rng(1).normal(size=len(frame))
    with pytest.warns(sm.ConvergenceWarning):
        fit = sm.fit(formula, frame, engine="stanli", chains=2, warmup=20, draws=5, seed=1)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    assert again.model.spec == fit.model.spec
    xr_equal = again.log_omega(NEW).equals(fit.log_omega(NEW))
    assert xr_equal


def test_planes_of_two_columns_are_recovered() -> None:
    rng = np.random.default_rng(5)
    x, component = rng.normal(size=400), rng.integers(2, size=400)
    b = np.array([[[-1.0, 2.0], [0.0, -1.0]], [[1.0, -2.0], [3.0, 0.5]]])
    mean = b[component, :, 0] + b[component, :, 1] * x[:, None]
    y = mean + rng.multivariate_normal([0, 0], [[0.5, 0.2], [0.2, 1.0]], 400)
    formula = "cbind(u, v) ~ mix(normal, K=2)\nmu ~ x"
    data = {"u": y[:, 0], "v": y[:, 1], "x": x}
    fit = sm.fit(formula, data, engine="stanli", seed=1)
    require_recovered(fit, {"beta_mu": b})


def test_non_decision_times_of_subjects_may_lie_above_the_shortest_response_of_others() -> None:
    rng = np.random.default_rng(13)
    subject, ndt = np.repeat(np.arange(8), 30), rng.uniform(0.15, 0.8, 8)
    drawn = stats.invgauss(1 / (1.0 * 3.0), scale=1.0).rvs(240, random_state=rng)
    data = pd.DataFrame({"rt": ndt[subject] + drawn, "subject": subject})
    fit = sm.fit("rt ~ mix(wald, K=1)\nndt ~ (1 | subject)", data, engine="stanli", seed=1)
    require_recovered(fit, {"threshold": np.array([1.0]), "drift": np.array([3.0])})
    posterior, least = fit.draws["posterior"], data.groupby("subject")["rt"].min().to_numpy()
    r = posterior["r_subject_ndt"].squeeze("effect_subject_ndt")
    own = least * expit(logit(posterior["ndt"] / least.min()) + r)
    mean, sd = own.mean(("chain", "draw")).values, own.std(("chain", "draw")).values
    assert np.abs((mean - ndt) / sd).max() < 4
    assert sd.max() < 0.05
    assert (own < least).all()
    # Of a subject that the fit has not seen, no more is known than of all.
    new = pd.DataFrame({"rt": [least.min() + 1e-6], "subject": ["another"]})
    assert np.isfinite(fit.log_omega(new, new_groups="draw")).all()


def test_splines_are_recovered() -> None:
    rng = np.random.default_rng(10)
    frame = {"x": np.append([0, 10], rng.uniform(0, 10, 300))}
    at = {
        "beta_mu": [[-3.0, 1.0, -2.0, 2.0, 0.0], [2.0, 3.0, 2.0, -1.0, 2.0]],
        "sigma": [0.5, 0.7],
        "weights": [0.5, 0.5],
    }
    formula = "y ~ mix(normal, K=2)\nmu ~ bs(x, df=4)"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {name: np.array(value) for name, value in at.items()})
    # In new data the knots are those of the fit: where x is 0, so is the basis.
    new = fit.membership({"y": [-3.0, 2.0], "x": [0.0, 0.0]})
    assert new.idxmax(axis=1).tolist() == [1, 2]


def test_independent_effects_of_groups_are_recovered() -> None:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"g": np.repeat(np.arange(12), 15), "x": rng.normal(size=180)})
    r = rng.normal(0, 1, (2, 12, 2)) * [0.8, 0.5]
    at = {"mu": [-4.0, 4.0], "r_g_mu": r, "sigma": [1.0, 1.0], "weights": [0.5, 0.5]}
    formula = "y ~ mix(normal, K=2)\nmu ~ (x || g)"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, draws=1500)
    assert "cor_g_mu" not in fit.draws["posterior"]
    truths = {name: np.array(at[name]) for name in ("mu", "sigma", "r_g_mu")}
    require_recovered(fit, truths | {"sd_g_mu": np.array([0.8, 0.5])})


def short_fit(formula: str, data: Any) -> sm.Fit:
    """A fit that says nothing of the posterior, but is one."""
    return sm.fit(formula, data, engine="stanli", chains=1, warmup=20, draws=5, seed=1)


def require_draws_to_be_starting_points(fit: sm.Fit) -> None:
    """The last draw, on the scale of the user, is the one that was sampled."""
    posterior = fit.draws["posterior"].isel(chain=0, draw=-1)
    given = {str(name): values.values for name, values in posterior.items()}
    sampled = given_values(fit.model.spec, given, 1)
    for name in fit.model.program.parameters:
        group = "sampled" if name in fit.draws["sampled"] else "posterior"
        kept = fit.draws[group][name].isel(chain=0, draw=-1)
        np.testing.assert_allclose(sampled[name], kept, rtol=1e-8, atol=1e-8, err_msg=name)


def test_terms_of_a_file_that_are_not_those_of_its_formula_are_refused(tmp_path: Path) -> None:
    """Formulaic evaluates Python: a file must not be able to give it any."""
    fit = short_fit("y ~ mix(normal, K=2)\nmu ~ I(x^2)", FRAME)
    path, ran = fit.save(tmp_path / "fit.nc"), tmp_path / "ran"
    tree = xr.load_datatree(path)
    evil = f"I(_c0_ + 0 * (open({str(ran)!r}, 'w') is None))"
    tree.attrs["stanmix"] = tree.attrs["stanmix"].replace("I(_c0_ ** 2)", evil.replace('"', ""))
    tree.to_netcdf(path)
    with pytest.raises(sm.DataError, match="holds no fit"):
        sm.load(path)
    assert not ran.exists()


def test_inits_may_be_draws_of_the_posterior() -> None:
    formula = (
        "count | series(subject) ~ hmm(poisson, states=2)\nrate ~ x + (1 + x | choice)\n"
        "transition ~ x + (1 | choice); initial ~ b"
    )
    require_draws_to_be_starting_points(short_fit(formula, UNITS))


def test_the_only_slope_may_order_the_components() -> None:
    x = np.linspace(-2, 2, 60)
    y = np.where(np.arange(60) % 2, 2 * x, -2 * x) + np.sin(np.arange(60)) / 3
    data = {"y": y, "x": x}
    fit = sm.fit("y ~ mix(normal, K=2, order=mu:x)\nmu ~ x", data, engine="stanli", seed=1)
    slopes = fit.draws["posterior"]["beta_mu"].isel(term_mu=1).mean(("chain", "draw"))
    np.testing.assert_allclose(slopes, [-2, 2], atol=0.2)
    assert fit.membership().shape == (60, 2)


def test_groups_of_like_names_stay_apart() -> None:
    frame = FRAME.assign(**{"a.b": FRAME["subject"], "a_b": FRAME["choice"]})
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | `a.b`); sigma ~ (1 | a_b)", frame)
    assert model.data["G_a_b"] == 2
    assert model.data["G_a_b_2"] == 2


def test_components_of_unequal_groups_are_not_alike() -> None:
    model = sm.model("y ~ mix(normal, K=2)\nmu[1] ~ x; mu[2] ~ x + (1 | subject)", FRAME)
    assert not model.spec.labels_may_switch


def test_the_coefficients_of_crossed_parabolas_are_the_published_ones(reference: Path) -> None:
    data = pd.read_csv(reference / "classic/flexmix_NPreg/data.csv")
    fit = sm.fit("yn ~ mix(normal, K=2); mu ~ x + I(x^2)", data, engine="stanli", seed=1)
    assert fit.diagnose().problems == ()
    coefficients = fit.draws["posterior"]["beta_mu"]
    mean, sd = coefficients.mean(("chain", "draw")), coefficients.std(("chain", "draw"))
    published = np.array([[-0.2087, 4.8161, 0.0363], [14.7176, 9.8456, -0.9682]])
    errors = np.array([[1.009, 0.5096, 0.0498], [1.324, 0.5916, 0.0553]])
    assert (np.abs(mean - published) < 0.3 * errors).all()
    assert (np.abs(sd / errors - 1) < 0.2).all()


@pytest.mark.parametrize("line", ["rate ~ year", "transition ~ year"])
def test_earthquakes_with_a_trend_in_rate_or_moves_fit(line: str, reference: Path) -> None:
    data = pd.read_csv(reference / "classic/earthquakes/data.csv")
    fit = sm.fit(f"count ~ hmm(poisson, states=2)\n{line}", data, engine="stanli", seed=1)
    assert fit.diagnose().problems == ()
    # The largest log likelihood without a trend is -342.3 (Zucchini et al. 2016, table 3.1): a
    # model with two coefficients more spends about half a unit for each of its parameters.
    log_likelihood = fit.diagnose().invariant["mean"].filter(like="log likelihood").sum()
    assert log_likelihood > -342.3 - 0.5 * 7 - 1
    assert fit.smoothing(data.assign(count=data["count"].iloc[::-1].to_numpy())).shape[2:] == (
        len(data),
        2,
    )


def test_one_state_with_a_trend_is_a_poisson_regression() -> None:
    """Its posterior with weak priors lies where the likelihood does (Fisher information)."""
    rng = np.random.default_rng(4)
    year = np.arange(1900, 2000)
    count = rng.poisson(np.exp(2.5 + 0.01 * (year - 1950)))
    data = {"count": count, "year": year}
    fit = sm.fit("count ~ hmm(poisson, states=1)\nrate ~ year", data, engine="stanli", seed=1)
    X = np.column_stack([np.ones(100), year - 1949.5])
    b = np.array([2.5, 0.0])
    for _ in range(50):
        rate = np.exp(X @ b)
        information = X.T @ (X * rate[:, None])
        b = b + np.linalg.solve(information, X.T @ (count - rate))
    slope = fit.draws["posterior"]["beta_rate"].sel(term_rate="year")
    sd = np.sqrt(np.linalg.inv(information)[1, 1])
    assert abs(float(slope.mean()) - b[1]) < 0.2 * sd
    assert abs(float(slope.std()) / sd - 1) < 0.1
