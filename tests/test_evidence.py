"""Marginal likelihoods against closed forms, quadrature, and sums over all paths."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import gammaln, logsumexp

import stanmix as sm
from stanmix.prior_mass import log_prior_mass
from stanmix.refits import without_responses_of

pytestmark = pytest.mark.engine

RUN = {"engine": "stanli", "chains": 2, "warmup": 500, "draws": 1500, "seed": 1}
RNG = np.random.default_rng(4)
TWO = np.concatenate([RNG.normal(0, 1, 15), RNG.normal(6, 1, 15)])


def near(found: Any, exact: float) -> None:
    assert found.log == pytest.approx(exact, abs=4 * found.mcse)
    assert found.mcse < 0.1


def test_of_a_conjugate_model_it_is_exact() -> None:
    y = RNG.normal(1, 1, 30)
    fit = sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": y}, priors={"mu": "normal(0.5, 2)"}, **RUN)
    exact = stats.multivariate_normal(np.full(30, 0.5), np.eye(30) + 4).logpdf(y)
    near(fit.evidence(), exact)


def test_of_weights_it_is_their_integral() -> None:
    y = np.array([0, 1, 2, 9, 11, 4, 3])
    mass = stats.poisson([[1], [4], [10]]).pmf(y)
    fit = sm.fit(
        "y ~ mix(poisson(rate=1) + poisson(rate=4) + poisson(rate=10))",
        {"y": y},
        priors={"weights": "dirichlet(2, 1, 3)"},
        **RUN,
    )

    def density(b: float, a: float) -> float:
        weights = np.array([a, b, max(1 - a - b, 1e-12)])
        weights /= weights.sum()
        return float(stats.dirichlet([2, 1, 3]).pdf(weights) * np.prod(weights @ mass))

    exact = integrate.dblquad(density, 0, 1, 0, lambda a: 1 - a, epsabs=1e-14, epsrel=1e-7)[0]
    near(fit.evidence(), np.log(exact))


def test_of_moves_it_is_the_sum_over_all_paths() -> None:
    y = np.array([0, 1, 6, 5, 0, 7, 8])
    mass = stats.poisson([[1], [6]]).logpmf(y).T
    fit = sm.fit(
        "y ~ hmm(poisson(rate=1) + poisson(rate=6))",
        {"y": y},
        priors={"initial": "dirichlet(1)", "transition": "sticky(4, 1)"},
        **RUN,
    )

    def log_marginal(counts: np.ndarray[Any, Any], alpha: np.ndarray[Any, Any]) -> float:
        """Of counts whose probabilities have a Dirichlet distribution."""
        whole = gammaln(alpha.sum()) - gammaln((alpha + counts).sum())
        return float(whole + np.sum(gammaln(alpha + counts) - gammaln(alpha)))

    terms = []
    for path in itertools.product(range(2), repeat=len(y)):
        moves = np.zeros((2, 2))
        np.add.at(moves, (path[:-1], path[1:]), 1)
        prior = sum(log_marginal(moves[k], np.where(np.arange(2) == k, 4.0, 1.0)) for k in (0, 1))
        prior += log_marginal(np.eye(2)[path[0]], np.ones(2))
        terms.append(prior + mass[np.arange(len(y)), path].sum())
    near(fit.evidence(), float(logsumexp(terms)))


def test_components_that_are_alike_have_the_same_however_they_are_ordered() -> None:
    ordered = sm.fit("y ~ mix(normal, K=2)", {"y": TWO}, **RUN).evidence()
    free = sm.fit("y ~ mix(normal, K=2, order=none)", {"y": TWO}, **RUN).evidence()
    assert ordered.label_constant == free.label_constant == pytest.approx(np.log(2))
    assert abs((ordered - free).log) < 4 * (ordered - free).mcse


def test_components_that_overlap_must_be_ordered() -> None:
    fit = sm.fit("y ~ mix(normal, K=2, order=none)", {"y": TWO[:15]}, **RUN)
    with pytest.raises(sm.SpecError, match="order the components"):
        fit.evidence()


def test_flat_priors_have_none() -> None:
    with pytest.warns(sm.IdentifiabilityWarning, match="flat"):
        fit = sm.fit("y ~ mix(normal, K=1)", {"y": TWO}, priors={"mu": "flat"}, **RUN)
    with pytest.raises(sm.SpecError, match="`mu` is flat"):
        fit.evidence()


def test_the_mass_of_ordered_components_with_different_priors_is_that_of_their_order() -> None:
    spec = sm.model(
        "y ~ mix(normal, K=2)",
        {"y": TWO},
        priors={"mu[1]": "normal(-1, 1)", "mu[2]": "normal(0, 2)"},
    ).spec
    log, mcse = log_prior_mass(spec, np.random.default_rng(1))
    assert log == pytest.approx(stats.norm(-1, np.sqrt(5)).logcdf(0), abs=4 * mcse)


FRAME = pd.DataFrame(
    {
        "y": TWO,
        "v": RNG.normal(0, 1, 30),
        "x": RNG.normal(0, 1, 30),
        "g": np.arange(30) % 3,
        "rt": 0.3 + RNG.wald(1, 2, 30),
        "choice": np.arange(30) % 2 + 1,
        "angle": RNG.vonmises(0, 1, 30),
        "n": RNG.poisson(4, 30),
    }
)


@pytest.mark.parametrize(
    ("formula", "priors"),
    [
        ("y ~ mix(normal, K=3)", {}),
        ("y ~ mix(normal, K=2)", {"mu[1]": "normal(0, 1)", "mu[2]": "normal(0, 3)"}),
        ("y ~ mix(normal, K=2)", {"mu[1]": "normal(0, 1)", "diff(mu)": "gamma(2, 1)"}),
        ("cbind(y, v) ~ mix(normal, K=2)", {"corr": "lkj(2, 0.3)"}),
        ("y ~ mix(normal, K=2); mu ~ x + (1 + x | g); weights ~ v", {}),
        ("rt | dec(choice) ~ mix(rdm(order=drift, ndt=0.1), K=1)", {"threshold": "gamma(3, 2)"}),
        ("angle ~ mix(von_mises, K=1)", {"mu": "von_mises(0, 2)", "kappa": "gamma(3, 1)"}),
        ("n ~ hmm(poisson, states=2, transition='11;01', initial=uniform); rate ~ x", {}),
        ("n ~ mix(geometric, K=2)", {}),
    ],
)
def test_without_responses_it_is_one(formula: str, priors: dict[str, str]) -> None:
    """So every prior is normalised, and the constants of orders and guards are right."""
    model = without_responses_of(sm.model(formula, FRAME, priors=priors), np.ones(30, bool))
    with warnings.catch_warnings():
        # Correlations that follow their prior alone look as if it held them.
        warnings.simplefilter("ignore", sm.IdentifiabilityWarning)
        fit = model.fit(**RUN)
    found = fit.evidence()
    assert found.log == pytest.approx(0.0, abs=4 * found.mcse)
    assert found.mcse < 0.2


def test_components_that_priors_tell_apart_have_one_numbering() -> None:
    """Of two means with priors of their own, the sum over all allocations of rows."""
    y = np.array([0, 0.3, -0.2, 4, 4.2, 3.9])
    priors = {"mu[1]": "normal(0, 1)", "mu[2]": "normal(4, 1)", "weights": "dirichlet(1)"}
    fit = sm.fit("y ~ mix(normal(sigma=1), K=2, order=none)", {"y": y}, priors=priors, **RUN)
    terms = []
    for allocation in itertools.product((False, True), repeat=6):
        second = np.array(allocation)
        counts = np.array([6 - second.sum(), second.sum()])
        term = gammaln(counts + 1).sum() - gammaln(8)
        for mean, own in ((0, y[~second]), (4, y[second])):
            if own.size:
                spread = np.eye(own.size) + 1
                term += stats.multivariate_normal(np.full(own.size, mean), spread).logpdf(own)
        terms.append(term)
    found = fit.evidence()
    near(found, float(logsumexp(terms)))
    assert found.label_constant == 0.0


def test_stacked_and_few_draws_have_none() -> None:
    fit = sm.fit("y ~ mix(normal, K=2)", {"y": TWO}, **RUN)
    stacked = fit.stack().fit
    for question in (stacked.evidence, stacked.modes, stacked.loo, stacked.diagnose):
        with pytest.raises(sm.SpecError, match="Stacked draws are no posterior"):
            question()
    assert "no posterior" in repr(stacked)
    few = sm.fit("y ~ mix(normal, K=2)", {"y": TWO}, **RUN | {"draws": 60})
    with pytest.raises(sm.SpecError, match="needs 200 draws or more"):
        few.evidence()
