"""Relabelling: permutations undone, densities unchanged, and a posterior that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import stanmix as sm
from stanmix.labels import Method
from stanmix.permutations import interchangeable, permuted
from stanmix.questions.asking import ask
from stanmix.questions.terms import leave_out
from tests.cases import UNITS
from tests.references import low_dim_gauss_mix, require_agreement
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

METHODS = get_args(Method)


@pytest.fixture(scope="module")
def mixture() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(-3, 1, 50), rng.normal(0, 0.5, 30), rng.normal(4, 1, 40)])
    y = np.where(np.arange(120) % 40 == 7, np.nan, y)
    data = {"y": y, "x": 2 * y + rng.normal(size=120)}
    formula = "cbind(x, y) ~ mix(normal & normal, K=3, order=none)"
    options = {"engine": "stanli", "chains": 2, "draws": 200, "seed": 1}
    return sm.fit(formula, data, **options)


@pytest.fixture(scope="module")
def chain() -> sm.Fit:
    rng = np.random.default_rng(2)
    states = np.repeat([0, 1, 2, 1, 0, 2], 15)
    data = {"y": rng.poisson(np.array([2, 9, 25])[states])}
    options = {"engine": "stanli", "chains": 2, "draws": 200, "seed": 1}
    return sm.fit("y ~ hmm(poisson, states=3, order=none)", data, **options)


def shuffled(fit: sm.Fit, seed: int = 3) -> sm.Fit:
    rng = np.random.default_rng(seed)
    sizes = fit.draws["posterior"].sizes
    n = sizes["chain"] * sizes["draw"]
    return permuted(fit, np.array([rng.permutation(fit.model.spec.K) for _ in range(n)]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", ["mixture", "chain"])
def test_random_permutations_of_separated_draws_are_undone_exactly(
    which: str, method: Method, request: pytest.FixtureRequest
) -> None:
    fit = request.getfixturevalue(which)
    plain = fit.relabel().fit
    found = shuffled(fit).relabel(method)
    assert found.fit.draws["posterior"].equals(plain.draws["posterior"])
    assert found.ambiguous == 0
    assert found.fit.summary()["r_hat"].max() < 1.1
    assert (found.moved > 0.6).all()


@pytest.mark.parametrize(
    "formula",
    [
        "cbind(y, x) ~ mix(normal, K=3, order=none)\nweights ~ b; mu ~ b + (1 + b | g)",
        "y ~ mix(normal, K=3, order=none)\nmu ~ x + (1 | g); weights ~ (1 | g); sigma ~ b",
        "y | series(subject) ~ hmm(normal, states=3, order=none)\ntransition ~ x; initial ~ b",
        "y ~ hmm(student(nu=4), states=3, order=none)\ntransition ~ x + (1 | g)",
        "y ~ mix(normal + normal + student)",
        "cbind(y, x) ~ mix(normal & laplace + normal & laplace + normal & normal)",
        "angle ~ mix(von_mises, K=3)",
        "cbind(mood, choice) ~ mix(categorical, K=3)",
    ],
)
def test_a_permutation_changes_the_numbers_of_components_and_no_density(formula: str) -> None:
    data = UNITS.assign(g=np.tile(list("abc"), 8), mood=np.tile(list("uvw"), 8))
    data["angle"] = np.linspace(-2, 2, 24)
    fit = short_fit(formula, data)
    blocks = interchangeable(fit.model.spec)
    swapped = np.array([1, 0, 2] if blocks[1] == blocks[0] else [0, 2, 1])
    other = permuted(fit, np.tile(swapped, (5, 1)))
    one, two = fit.log_omega(draws=None), other.log_omega(draws=None)
    np.testing.assert_allclose(two.values, one.values[..., swapped], rtol=1e-6, atol=1e-7)
    before, after = (leave_out(ask(f, draws=None), None).log_densities() for f in (fit, other))
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-7)
    assert not other.draws["posterior"].equals(fit.draws["posterior"])
    back = permuted(other, np.tile(np.argsort(swapped), (5, 1)))
    assert back.draws["posterior"].equals(fit.draws["posterior"])


@pytest.mark.parametrize("method", METHODS)
def test_a_posterior_that_is_known_comes_back(method: Method, reference: Path) -> None:
    known = low_dim_gauss_mix(reference)
    formula = known.formula.replace("K=2", "K=2, order=none")
    options: dict[str, Any] = {"priors": known.priors, "engine": "stanli", "seed": 1}
    fit = sm.fit(formula, known.data, **options)
    require_agreement(shuffled(fit).relabel(method).fit, known)


def test_known_labels_and_another_fit_are_matched(mixture: sm.Fit) -> None:
    truth = np.repeat([3.0, 1.0, 2.0], [50, 30, 40])
    truth[::7] = np.nan
    found = shuffled(mixture).relabel(to=truth).fit
    order = found.draws["posterior"]["mu_y"].mean(("chain", "draw")).values
    assert (np.argsort(order) + 1).tolist() == [3, 1, 2]
    again = mixture.relabel(to=found).fit
    assert again.draws["posterior"].equals(found.draws["posterior"])


def test_a_report_says_what_moved_in_each_chain(mixture: sm.Fit) -> None:
    n = 200
    there = np.tile([0, 1, 2], (2 * n, 1))
    plain = mixture.relabel().fit
    there[n : n + 50] = [2, 0, 1]
    found = permuted(plain, there).relabel("pivotal")
    np.testing.assert_allclose(found.moved, [0, 0.25])
    assert found.permutations[1, 0].values.tolist() == [2, 3, 1]
    assert "of the draws of each chain 0.0%, 25.0% were numbered differently" in repr(found)
    assert 0.2 < found.smallest < 0.3


def test_draws_between_numberings_are_called_ambiguous() -> None:
    y = np.random.default_rng(1).normal(size=40)
    options: dict[str, Any] = {"engine": "stanli", "chains": 1, "draws": 200, "seed": 1}
    fit = sm.fit("y ~ mix(normal(sigma=1), K=2, order=none)", {"y": y}, **options)
    assert fit.relabel().ambiguous > 0.05


def test_components_whose_numbers_mean_something_stay(mixture: sm.Fit) -> None:
    y = {"y": [-2.0, -1.0, 0.0, 1.0, 4.0, 5.0], "z": [1, 2, None, None, None, None]}
    both = "y ~ mix(normal(sigma=1), K=2, order=none)"
    for formula, priors, message in (
        ("y ~ mix(normal, K=2)", None, "`mu` orders the components"),
        ("y ~ mix(normal + student)", None, "The components differ"),
        ("y | known(z) ~ mix(normal, K=2)", None, "The components differ"),
        (both, {"mu[1]": "normal(0, 1)"}, "The prior of `mu` tells components apart"),
        (both, {"weights": "dirichlet(5, 1)"}, "The prior of `weights` tells components apart"),
        (
            'y ~ hmm(normal, states=3, transition="011;101;110", order=none)',
            None,
            "Not all moves are allowed",
        ),
    ):
        spec = sm.model(formula, y, priors=priors).spec
        with pytest.raises(sm.SpecError, match=message):
            interchangeable(spec)


def test_what_cannot_be_matched_is_refused(mixture: sm.Fit, chain: sm.Fit) -> None:
    for given, message in (
        ({"method": "kmeans"}, "`method` is one of `stephens`"),
        ({"to": [1, 2]}, "`to` must hold 120 labels from 1 to 3"),
        ({"to": np.full(120, 4)}, "`to` must hold 120 labels from 1 to 3"),
        ({"to": ["a"] * 120}, "`to` is another fit, or labels"),
        ({"to": chain.relabel().fit}, "a fit of other rows"),
    ):
        with pytest.raises(sm.SpecError, match=message):
            mixture.relabel(**given)
