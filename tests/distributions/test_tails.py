"""Distribution functions and quantiles of mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import stanmix as sm
from stanmix.distributions import Mixture, component, components, gaussian_mixture
from tests.distributions.exact import mp, mpf

few_examples = settings(max_examples=100, derandomize=True, deadline=None, database=None)
probability = st.one_of(
    st.floats(1e-12, 1 - 1e-12),
    st.floats(-300, -1).map(lambda x: 10.0**x),
    st.floats(-15, -1).map(lambda x: 1 - 10.0**x),
)
scale = st.floats(-6, 6).map(lambda x: float(np.exp(x)))
place = st.floats(-1e3, 1e3)
shape = st.floats(0.1, 20)


def weights(draw: st.DrawFn) -> list[float]:
    share = draw(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-300, 1.0])))
    return [share, 1 - share]


@st.composite
def numbers(draw: st.DrawFn) -> Mixture:
    """Mixtures of a number, of families whose tails differ."""
    families: dict[str, dict[str, st.SearchStrategy[float]]] = {
        "student": {"mu": place, "sigma": scale, "nu": st.floats(1, 50)},
        "laplace": {"mu": place, "sigma": scale},
        "gumbel": {"mu": place, "sigma": scale},
        "exgaussian": {"mu": place, "sigma": scale, "tau": scale},
        "uniform": {"low": st.floats(-9, -1), "high": scale},
        "lognormal": {"mu": st.floats(-3, 3), "sigma": st.floats(0.1, 3)},
        "gamma": {"mu": scale, "shape": scale.map(lambda x: x + 0.1)},
        "weibull": {"scale": scale, "shape": shape},
        "frechet": {"scale": scale, "shape": shape},
        "loglogistic": {"scale": scale, "shape": shape},
        "wald": {"threshold": scale, "drift": scale, "ndt": st.floats(0, 3)},
        "beta": {"mu": st.floats(0.05, 0.95), "phi": scale},
    }
    first = component("normal", mu=draw(place), sigma=draw(scale))
    family = draw(st.sampled_from(list(families)))
    second = component(family, **{name: draw(of) for name, of in families[family].items()})
    return Mixture(weights(draw), [first, second])


@st.composite
def counts(draw: st.DrawFn) -> Mixture:
    """Mixtures of counts."""
    mean = st.floats(-3, 9).map(lambda x: float(np.exp(x)))
    second = draw(
        st.sampled_from(
            [
                component("negbinomial", mu=draw(mean), shape=draw(mean)),
                component("geometric", prob=draw(st.floats(0.01, 0.99))),
                component("binomial", prob=draw(st.floats(0.01, 0.99)), trials=30),
                component("hurdle_poisson", rate=draw(mean), hu=0.2),
                component("zero_inflated_poisson", rate=draw(mean), zi=0.2),
            ]
        )
    )
    return Mixture(weights(draw), [component("poisson", rate=draw(mean)), second])


@few_examples
@given(target=numbers(), p=probability)
def test_a_quantile_is_the_smallest_number_with_at_least_that_probability(
    target: Mixture, p: float
) -> None:
    q = target.quantile(p)
    # A few steps of the last digit: log probabilities are rounded.
    away = 8 * np.spacing(max(abs(q), 1e-300)) if np.isfinite(q) else 0.0
    if p <= 0.5:
        slack = 1 + 1e-11
        assert target.cdf(q) * slack >= p
        assert target.cdf(q - away) <= p * slack
    else:
        slack = 1 + 1e-11
        assert target.survival(q) <= (1 - p) * slack
        assert target.survival(q - away) * slack >= 1 - p


@few_examples
@given(target=counts(), p=probability)
def test_a_quantile_of_counts_is_the_smallest_count_with_at_least_that_probability(
    target: Mixture, p: float
) -> None:
    q = target.quantile(p)
    assert q == np.floor(q) >= 0
    if p <= 0.5:
        assert target.cdf(q) * (1 + 1e-12) >= p
        assert target.cdf(q - 1) <= p * (1 + 1e-12)
    else:
        assert target.survival(q) <= (1 - p) * (1 + 1e-12)
        assert target.survival(q - 1) * (1 + 1e-12) >= 1 - p


def test_quantiles_are_exact_in_the_farthest_tails() -> None:
    target = gaussian_mixture([0.3, 0.7], [0.0, 4.0], [1.0, 2.0])

    def below(x: object) -> object:
        z = [(mpf(x) - mu) / sigma for mu, sigma in ((0, 1), (4, 2))]
        return (
            mpf("0.3") * mp.erfc(-z[0] / mp.sqrt(2)) + mpf("0.7") * mp.erfc(-z[1] / mp.sqrt(2))
        ) / 2

    for p in (1e-300, 1e-20, 0.2):
        root = mp.findroot(lambda x, p=p: mp.log(below(x) / mpf(p)), float(target.quantile(p)))
        assert target.quantile(p) == pytest.approx(float(root), rel=1e-13)
    upper = 1 - 2.0**-53
    root = mp.findroot(lambda x: mp.log((1 - below(x)) * mpf(2) ** 53), 20.0)
    assert target.quantile(upper) == pytest.approx(float(root), rel=1e-13)


def test_the_distribution_function_is_the_integral_of_the_density() -> None:
    target = Mixture(
        [0.3, 0.7],
        [component("skew_normal", mu=1, sigma=2, alpha=3), component("logistic", mu=-3, sigma=1)],
    )
    for x in (-5.0, 0.0, 2.5):
        below = integrate.quad(lambda y: float(np.exp(target.log_prob(y))), -200, x, limit=300)[0]
        assert target.cdf(x) == pytest.approx(below, abs=1e-9)
        assert target.survival(x) == pytest.approx(1 - below, abs=1e-9)
    assert target.cdf([-np.inf, np.inf]).tolist() == [0, 1]
    assert target.survival([[-np.inf], [np.inf]]).tolist() == [[1], [0]]


def test_the_distribution_function_of_counts_is_a_sum_with_steps() -> None:
    target = Mixture([0.5, 0.5], components("poisson", rate=[1.0, 9.0]))
    sums = np.cumsum(np.exp(target.log_prob(np.arange(30))))
    np.testing.assert_allclose(target.cdf(np.arange(30)), sums)
    np.testing.assert_allclose(target.cdf(np.arange(30) + 0.7), sums)
    np.testing.assert_allclose(target.survival(np.arange(20)), 1 - sums[:20], atol=1e-15)
    assert target.cdf(-0.5) == 0
    assert target.cdf(1e300) == 1
    assert target.quantile([[1e-300], [0.5]]).tolist() == [[0], [3]]


def test_quantiles_reach_to_the_ends_of_what_doubles_are() -> None:
    heavy = Mixture([1.0], [component("student", mu=0, sigma=1, nu=1)])
    assert heavy.quantile(1e-300) == pytest.approx(-1e300 / np.pi)
    sharp = Mixture([0.5, 0.5], components("normal", mu=[0.0, 1e200], sigma=[1e-200, 1e100]))
    np.testing.assert_allclose(sharp.quantile([0.25, 0.75]), [0, 1e200], atol=1e-210)
    beyond = Mixture([1.0], [component("lognormal", mu=700, sigma=30)])
    assert beyond.quantile(0.999) == np.inf


def test_what_has_no_distribution_function_says_so() -> None:
    angles = Mixture([1.0], [component("von_mises", mu=0, kappa=1)])
    classes = Mixture([1.0], [component("ordinal", cutpoint=[0.0, 1])])
    plane = gaussian_mixture([1.0], [[0, 0]], 1)
    for target in (angles, classes):
        for question in (target.cdf, target.survival, target.quantile):
            with pytest.raises(sm.SpecError, match="no distribution function"):
                question(0.5)
    with pytest.raises(sm.SpecError, match="marginal"):
        plane.cdf([0, 0])
    assert plane.marginal(0).cdf(0) == 0.5
    for p in (0, 1, -1, 2):
        with pytest.raises(sm.DataError, match="above 0 and below 1"):
            plane.marginal(0).quantile(p)
    with pytest.raises(sm.DataError, match="NaN"):
        plane.marginal(0).cdf([0, np.nan])
