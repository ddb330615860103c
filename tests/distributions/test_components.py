"""What makes a component, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix.distributions import Component, Mixture, component, components

NORMAL = component("normal", mu=0, sigma=1)
CORR = [[1, 0.5], [0.5, 1]]


def test_the_covariance_form_follows_from_the_parameters() -> None:
    forms = {
        "spherical": component("student", mu=[0, 1], sigma=1, nu=4),
        "diag": component("student", mu=[0, 1], sigma=[1, 2], nu=4),
        "full": component("student", mu=[0, 1], sigma=[1, 2], corr=CORR, nu=4),
    }
    for cov, one in forms.items():
        assert one.parts[0].family.cov == cov
        assert component(f"student[{cov}]", **one.parts[0].parameters).kinds == ("real", "real")


def test_a_family_of_ones_own_is_a_component() -> None:
    rayleigh = sm.Family(
        "rayleigh",
        response=(sm.Column("positive"),),
        params=(sm.Param("scale", link="log", lower=0),),
        reference=lambda scale: stats.rayleigh(scale=scale),
        score=lambda y, scale: 1 / y - y / scale**2,
        cumulative=True,
    )
    target = Mixture([0.5, 0.5], components(rayleigh, scale=[1.0, 6.0]))
    density = [0.5 * stats.rayleigh.pdf(2, scale=s) for s in (1, 6)]
    assert target.log_prob(2.0) == pytest.approx(np.log(sum(density)))
    score = np.dot(density, [1 / 2 - 2, 1 / 2 - 2 / 36]) / sum(density)
    assert target.score(2.0) == pytest.approx(score)
    assert target.cdf(target.quantile(0.3)) == pytest.approx(0.3)


def test_defaults_of_a_family_need_not_be_given() -> None:
    assert component("ordinal", cutpoint=[0, 1]).parts[0].parameters["mu"] == 0


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        ("norml", {"mu": 0}, r"(?s)no family 'norml'.*did you mean `normal`"),
        (3, {}, "a name or a `Family`, not int"),
        ("normal", {"mu": 0}, "`normal` needs `sigma` too"),
        ("normal", {"mu": 0, "sd": 1}, "no parameter `sd`"),
        ("normal", {"mu": 0, "sigma": 0}, "`sigma` of `normal` must be above 0, not 0"),
        ("normal", {"mu": np.nan, "sigma": 1}, "`mu` of `normal` must be finite"),
        ("normal", {"mu": "x", "sigma": 1}, "`mu` of `normal` must be numbers, not 'x'"),
        ("normal", {"mu": None, "sigma": 1}, "`mu` of `normal`"),
        ("normal", {"mu": 1j, "sigma": 1}, "`mu` of `normal`"),
        ("normal", {"mu": 0, "sigma": [1, 2]}, "`sigma` of `normal` must be a number"),
        ("normal", {"mu": [0, 1], "sigma": [1, 2, 3]}, "differ in length: 2 and 3"),
        ("normal", {"mu": [], "sigma": 1}, "must be a list of numbers"),
        ("normal", {"mu": [[0, 1]], "sigma": 1}, "must be a list of numbers"),
        ("normal", {"mu": [[0], [1, 2]], "sigma": 1}, "`mu` of `normal` must be"),
        ("normal", {"mu": [0, 1], "sigma": 1, "corr": CORR}, "`sigma` of `normal` must be a list"),
        ("normal", {"mu": [0, 1], "sigma": [1, 1], "corr": [[1, 2], [2, 1]]}, "correlation matrix"),
        ("normal", {"mu": [0, 1], "sigma": [1, 1], "corr": [[1, 1], [1, 1]]}, "correlation matrix"),
        ("normal", {"mu": [0, 1], "sigma": [1, 1], "corr": [[1, 0, 0], [0, 1, 0]]}, "corr"),
        ("student", {"mu": 0, "sigma": 1, "nu": 0.5}, "must be 1 or more, not 0.5"),
        ("beta", {"mu": 1.0, "phi": 1}, "between 0 and 1, not 1.0"),
        ("uniform", {"low": 1, "high": 1}, "`high` of `uniform` must be above `low`"),
        ("uniform", {"low": 1}, "needs `high` too"),
        ("categorical", {"prob": [0.5, 0.6]}, "must sum to 1, and sum to 1.1"),
        ("categorical", {"prob": [-0.5, 1.5]}, "negative"),
        ("ordinal", {"cutpoint": [1, 0]}, "must increase"),
        ("binomial", {"prob": 0.5}, "needs `trials` too"),
        ("binomial", {"prob": 0.5, "trials": 0}, "`trials` must be a whole number"),
        ("poisson", {"rate": 1, "trials": 3}, "has no trials"),
        ("normal", {"mu": 0, "sigma": 1, "choices": 2}, "has no choices"),
        ("rdm", {"threshold": 1, "drift": [1, 2], "ndt": 0, "choices": 3}, "2 choices here, not 3"),
    ],
)
def test_what_is_no_component_is_refused(family: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        component(family, **given)


@pytest.mark.parametrize(
    ("weights", "given", "message"),
    [
        ([0.5, 0.6], [NORMAL, NORMAL], "`weights` must sum to 1, and sum to 1.1"),
        ([1.0], [NORMAL, NORMAL], r"`weights` must have shape \(2,\), not \(1,\)"),
        ([np.nan, 1.0], [NORMAL, NORMAL], "negative, above 1 or NaN"),
        ([-0.5, 1.5], [NORMAL, NORMAL], "negative, above 1 or NaN"),
        ("even", [NORMAL, NORMAL], "`weights` must be numbers"),
        ([1.0], [], "there are none"),
        ([1.0], NORMAL, None),
        ([1.0], ["normal"], "'normal' is none"),
        ([1.0], 3, "3 is none"),
        (
            [0.5, 0.5],
            [NORMAL, component("poisson", rate=1)],
            "has a density and .* probabilities of counts, which cannot be mixed",
        ),
        (
            [0.5, 0.5],
            [component("poisson", rate=1), component("categorical", prob=[0.5, 0.5])],
            "cannot be mixed",
        ),
        (
            [0.5, 0.5],
            [component("dirichlet", mu=[0.5, 0.5], phi=1), component("normal", mu=[0, 0], sigma=1)],
            "cannot be mixed",
        ),
        ([0.5, 0.5], [NORMAL, NORMAL & NORMAL], "differ in their columns"),
        ([0.5, 0.5], [NORMAL, component("normal", mu=[0.0], sigma=1)], "differ in their columns"),
    ],
)
def test_what_is_no_mixture_is_refused(weights: Any, given: Any, message: str | None) -> None:
    if message is None:
        assert Mixture(weights, given).K == 1
        return
    with pytest.raises(sm.SpecError, match=message):
        Mixture(weights, given)


def test_weights_are_divided_by_their_sum() -> None:
    target = Mixture(np.float32([0.1, 0.2, 0.7]), [NORMAL] * 3)
    assert target.weights.sum() == 1.0
    assert target.weights.dtype == np.float64


def test_parameters_of_all_components_must_be_as_many() -> None:
    with pytest.raises(sm.SpecError, match="2 of `mu`, 3 of `sigma`"):
        components("normal", mu=[0, 1], sigma=[1, 2, 3])
    with pytest.raises(sm.SpecError, match="an entry for each component"):
        components("normal", mu=0, sigma=1)
    with pytest.raises(sm.SpecError, match="`mu` must be an array of numbers"):
        components("normal", mu=["a", "b"], sigma=1)
    with pytest.raises(TypeError):
        NORMAL & 3  # type: ignore[operator]
    assert isinstance(components("normal", mu=[[0, 1], [2, 3]], sigma=[1, 2])[0], Component)


def test_what_is_no_row_is_refused() -> None:
    target = Mixture([1.0], [component("normal", mu=[0, 1], sigma=1)])
    for x in (1.0, [1.0], [[1, 2, 3]], [1, np.nan], [np.inf, 1], "ab", None, [[1], [2, 3]]):
        for question in (target.log_prob, target.score, target.responsibility):
            with pytest.raises(sm.DataError):
                question(x)
    with pytest.raises(sm.DataError, match=r"`x` is NaN or infinite in 1 of 4 entries"):
        target.log_prob([[1, 2], [np.nan, 2]])


def test_moments_that_there_are_not_are_refused() -> None:
    for one, message in (
        (component("von_mises", mu=0, kappa=1), "angles, which have no mean"),
        (component("categorical", prob=[0.5, 0.5]), "categories, which have no mean"),
        (component("rdm", threshold=1, drift=[1, 2], ndt=0), "choices, which have no mean"),
    ):
        with pytest.raises(sm.SpecError, match=message):
            Mixture([1.0], [one]).mean()
        with pytest.raises(sm.SpecError, match="which have no"):
            Mixture([1.0], [one]).variance()
    with pytest.raises(sm.SpecError, match="ask for `variance`"):
        Mixture([1.0], [NORMAL]).covariance()


def test_columns_that_there_are_not_are_refused() -> None:
    target = Mixture([1.0], [NORMAL & component("dirichlet", mu=[0.2, 0.3, 0.5], phi=3)])
    for columns in (4, -1, [], [1, 0], [0, 0], "0", [0.5], None, True):
        with pytest.raises(sm.SpecError):
            target.marginal(columns)  # type: ignore[arg-type]
    with pytest.raises(sm.SpecError, match="Some of the columns of `dirichlet`"):
        target.marginal([0, 1])
    assert target.marginal([1, 2, 3]).event_shape == (3,)
    with pytest.raises(sm.SpecError, match="Some of the columns of `rdm`"):
        race = component("rdm", threshold=1, drift=[1, 2], ndt=0)
        Mixture([1.0], [race]).marginal(0)


def test_rows_of_other_columns_and_tails_of_several_are_refused() -> None:
    both = NORMAL & component("poisson", rate=3)
    with pytest.raises(sm.SpecError, match="Distribution functions are of a number"):
        both.log_tail(np.zeros(2), "logcdf")
    for rows in (np.zeros(3), np.zeros((3, 1)), [0.0, 1.0]):
        with pytest.raises(sm.DataError, match="have the shape"):
            both.log_density(rows)


@pytest.mark.parametrize("corr", [{}, {"corr": CORR}])
def test_a_vector_of_students_t_falls_as_a_power_however_far_out(corr: dict[str, Any]) -> None:
    target = Mixture([1.0], [component("student", mu=[0, 0], sigma=[1, 2], nu=3, **corr)])
    away = np.array([1.0, -1.0])
    sizes = np.array([1e90, 1e120, 1e160, 1e300])
    found = target.log_prob(sizes[:, None] * away)
    np.testing.assert_allclose(np.diff(found), -5 * np.diff(np.log(sizes)), rtol=1e-12)
    score = target.score(sizes[:, None] * away)
    np.testing.assert_allclose(score @ away, -5 / sizes, rtol=1e-12)


def test_the_score_of_a_loglogistic_variable_is_finite_at_0_where_its_shape_is_1() -> None:
    target = Mixture([1.0], [component("loglogistic", scale=2, shape=1)])
    y = np.array([1e-310, 1e-200, 1e-20, 1e-8, 1.0, 1e200])
    np.testing.assert_allclose(target.score(y), -2 / (2 + y), rtol=1e-12)


@pytest.mark.parametrize(
    ("family", "given", "y"),
    [
        ("gamma", {"mu": 0.1, "shape": 3}, 1e308),
        ("weibull", {"scale": 0.1, "shape": 2}, 1e308),
        ("gumbel", {"mu": 0, "sigma": 0.1}, -1e308),
    ],
)
def test_where_a_distance_overflows_there_is_no_density(
    family: str, given: dict[str, float], y: float
) -> None:
    assert Mixture([1.0], [component(family, **given)]).log_prob(y) == -np.inf
