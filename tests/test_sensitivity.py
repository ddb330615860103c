"""Sensitivity to prior and likelihood, against ArviZ, Stan's log density, and closed forms."""

from __future__ import annotations

from typing import Any

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import trapezoid

import stanmix as sm
from stanmix.errors import ConvergenceWarning
from stanmix.prior_density import log_priors
from stanmix.questions.asking import ask
from stanmix.sensitivity import CONFLICT, FINE, STRONG, log_likelihoods, power_weights
from tests.cases import FRAME
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

OVER = ("chain", "draw")

SHORT: Any = {"engine": "stanli", "chains": 1, "warmup": 20, "draws": 5, "seed": 1}


def parts(fit: sm.Fit, names: list[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Log prior and log likelihood, (chain, draw) both."""
    asked = ask(fit, draws=None)
    priors = log_priors(fit.model.spec, asked.draws)
    prior = np.sum([v for name, v in priors.items() if not names or name in names], axis=0)
    likelihood = log_likelihoods(asked)
    chains = fit.draws["posterior"].sizes["chain"]
    return prior.reshape(chains, -1), likelihood.reshape(chains, -1)


@pytest.fixture(scope="module")
def fit() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(0, 1, 20), rng.normal(4, 1, 20)])
    priors = {"mu[1]": "normal(-1, 0.2)"}
    return sm.fit("y ~ mix(normal, K=2)", {"y": y}, priors=priors, engine="stanli", seed=1)


@pytest.mark.parametrize("names", [None, ["mu"], ["sigma", "weights"]])
def test_it_is_that_of_arviz(fit: sm.Fit, names: list[str] | None) -> None:
    found = fit.sensitivity(prior=names)
    groups = dict(zip(("log_prior", "log_likelihood"), parts(fit, names), strict=True))
    tree = {k: xr.Dataset({"all": (("chain", "draw"), v)}) for k, v in groups.items()}
    posterior = fit.draws["posterior"].to_dataset()
    draws = xr.DataTree.from_dict({"posterior": posterior, **tree})
    for group in ("prior", "likelihood"):
        theirs = arviz_stats.psense(draws, group=group)
        for name in ("mu", "sigma", "weights"):
            ours = found.loc[[f"{name}[1]", f"{name}[2]"], group]
            # Theirs also smooths the lower tail of the weights.
            np.testing.assert_allclose(ours, theirs[name], rtol=2e-3)


def log_jacobian(fit: sm.Fit) -> np.ndarray:
    """Of scales, orders and simplexes: (chain, draw), up to a constant."""
    d = fit.draws["posterior"].to_dataset()
    found = [d[n] for n in ("sigma", "weights", "initial", "transition", "sd_subject_mu") if n in d]
    if fit.model.spec.parameter("mu").order:
        found.append(d["mu"].diff("state"))
    logs = [np.log(values.transpose(*OVER, ...).values) for values in found]
    return np.sum([v.sum(axis=tuple(range(2, v.ndim))) for v in logs], axis=0)


@pytest.mark.parametrize(
    ("formula", "priors"),
    [
        ("y | freq(choice) + known(label) ~ mix(normal, K=2)", {"mu[1]": "cauchy(0, 1)"}),
        ("y | unit(id) + freq(choice) ~ mix(normal, K=2)", {"sigma": "gamma(2, 1)"}),
        ("y | series(subject) + time(t) ~ hmm(normal, states=2)", {"transition": "sticky(8, 2)"}),
        ("y ~ mix(normal, K=2)\nmu ~ x + (1 + x | subject); weights ~ rt", {"mu": "normal(0, 9)"}),
        ("y | cens(how) + trunc(lb=-9) ~ hmm(normal, states=2, initial=uniform)", {}),
    ],
)
def test_prior_and_likelihood_are_parts_of_the_density_of_the_program(
    formula: str, priors: dict[str, str]
) -> None:
    rows = FRAME.assign(label=["1", "!2", "1|2", None] * 6, how=["none", "left"] * 12)
    fit = sm.fit(formula, rows, priors=priors, **SHORT)
    prior, likelihood = parts(fit)
    rest = fit.draws["sample_stats"]["lp"].values - prior - likelihood - log_jacobian(fit)
    if "sampled" in fit.draws and "z_subject_mu" in fit.draws["sampled"]:
        z = fit.draws["sampled"]["z_subject_mu"].values
        rho = fit.draws["posterior"]["cor_subject_mu"].values[..., 0, 1]
        rest = rest + (z**2).sum(axis=(2, 3, 4)) / 2 - np.log(1 - rho**2).sum(axis=-1)
    assert np.ptp(prior) > 0.01 and np.ptp(likelihood) > 0.01
    np.testing.assert_allclose(rest, rest[0, 0], atol=1e-9 * np.abs(likelihood).max())


def distance(one: Any, other: Any, low: float, high: float) -> float:
    """The cumulative Jensen-Shannon distance of two distributions within an interval."""
    x = np.linspace(low, high, 20_001)
    found = []
    for p, q in ((one.cdf(x), other.cdf(x)), (one.sf(x), other.sf(x))):
        middle = (p + q) / 2
        parts = [
            trapezoid(a * np.log2(a / middle), x) + trapezoid(b - a, x) / np.log(4)
            for a, b in ((p, q), (q, p))
        ]
        found.append(np.sqrt(sum(parts) / trapezoid(p + q, x)))
    return float(max(found))


@pytest.mark.parametrize(
    ("location", "scale", "rows", "diagnosis"),
    [(-2.0, 0.3, 12, CONFLICT), (0.3, 0.2, 3, STRONG), (0.0, 20.0, 12, FINE)],
)
def test_of_a_normal_mean_it_is_that_of_the_posteriors_with_other_powers(
    location: float, scale: float, rows: int, diagnosis: str
) -> None:
    y = np.linspace(-1, 1, rows) + 0.3
    priors = {"mu": f"normal({location}, {scale})"}
    fit = sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": y}, priors=priors, engine="stanli", seed=1)
    mu = fit.draws["posterior"]["mu"]

    def posterior(prior: float, likelihood: float) -> Any:
        told, known = likelihood * rows, prior / scale**2
        mean = (told * y.mean() + known * location) / (told + known)
        return stats.norm(mean, 1 / np.sqrt(told + known))

    found = fit.sensitivity()
    for column, powers in (("prior", (1, 0)), ("likelihood", (0, 1))):
        steps = [
            distance(
                posterior(1, 1),
                posterior(*(a if own else 1 for own in powers)),
                float(mu.min()),
                float(mu.max()),
            )
            / abs(np.log2(a))
            for a in (0.99, 1.01)
        ]
        assert found.loc["mu[1]", column] == pytest.approx(np.mean(steps), rel=0.1, abs=2e-3)
    assert found.loc["mu[1]", "diagnosis"] == diagnosis


def test_the_table_begins_with_what_does_not_depend_on_labels(fit: sm.Fit) -> None:
    table = fit.sensitivity()
    assert list(table) == ["prior", "likelihood", "diagnosis"]
    names = ["sorted weights[1]", "sorted weights[2]", "mean", "variance"]
    assert table.index.tolist() == [*names, *fit.summary().index]
    assert table.loc["weights[1]", "prior"] == pytest.approx(table.loc["weights[2]", "prior"])
    alone = fit.sensitivity(prior="mu")
    assert alone["likelihood"].equals(table["likelihood"])
    assert not alone["prior"].equals(table["prior"])
    every = fit.sensitivity(prior=["weights", "mu", "sigma"])
    np.testing.assert_allclose(every["prior"], table["prior"], rtol=1e-6)


def test_what_does_not_vary_or_is_infinite_is_left_out() -> None:
    enough: Any = SHORT | {"draws": 120, "warmup": 100}
    priors = {"transition": "dirichlet(1)"}
    fit = sm.fit("y ~ hmm(normal, states=2)\ntransition ~ rt", FRAME, priors=priors, **enough)
    found = fit.sensitivity(prior="transition")
    assert (found["prior"] < 1e-5).all() and (found["diagnosis"] == FINE).all()
    assert found.index[0] == "sorted stay probabilities[1]"
    assert "beta_transition[1, 2, rt]" in found.index and "mean" not in found.index
    assert "beta_transition[1, 1, rt]" not in found.index
    fit = sm.fit("cbind(y, x) ~ mix(student(nu=1.5), K=2)", FRAME, **enough)
    found = fit.sensitivity()
    assert {"mean[y]", "mean[x]", "corr[1, y, x]"} <= set(found.index)
    assert not {"variance[y]", "variance[x]", "corr[1, y, y]"} & set(found.index)
    assert not {"corr[1, x, x]", "corr[2, x, x]"} & set(found.index)
    assert np.isfinite(found[["prior", "likelihood"]].to_numpy()).all()


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("mo", "no prior of 'mo'; there are those of `mu`, `sigma`, `weights`"),
        (["mu", 3], "no prior of 3"),
        (3, "no prior of 3"),
        ([], "names no parameter"),
    ],
)
def test_what_has_no_prior_is_refused(fit: sm.Fit, prior: Any, message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        fit.sensitivity(prior=prior)


def test_few_draws_are_refused() -> None:
    with pytest.raises(sm.SpecError, match="needs 100 draws or more"):
        short_fit("y ~ mix(normal, K=2)", FRAME).sensitivity()


def test_weights_that_are_too_uneven_are_warned_of() -> None:
    heavy = np.random.default_rng(1).exponential(300, (2, 500))
    with pytest.warns(ConvergenceWarning, match="sensitivity to the prior is not to be trusted"):
        power_weights(heavy, "prior")
    stuck = np.minimum(heavy, 300)
    with pytest.warns(ConvergenceWarning, match="Pareto k of inf"):
        _, upper = power_weights(stuck, "prior")
    raw = np.exp(0.01 * stuck).ravel()
    np.testing.assert_allclose(upper, raw / raw.sum())
    lower, upper = power_weights(heavy / 300, "prior")
    assert lower.sum() == pytest.approx(1) and upper.sum() == pytest.approx(1)
