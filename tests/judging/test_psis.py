from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

import stanmix as sm

Y = [0.3, 1.1, -0.4, 0.8]


@pytest.fixture(scope="module")
def conjugate() -> tuple[sm.Model, stats.rv_continuous]:
    """A model of one number, and its posterior: normal mean, known spread, normal prior."""
    model = sm.model("y ~ mix(normal(sigma=1), K=1)", {"y": Y}, priors={"mu": "normal(0, 2)"})
    precision = len(Y) + 1 / 4
    return model, stats.norm(sum(Y) / precision, precision**-0.5)


def drawn(mu: np.ndarray) -> dict[str, np.ndarray]:
    return {"mu": mu[:, None], "weights": np.ones((len(mu), 1))}


def test_the_posterior_itself_has_equal_weights(conjugate) -> None:  # type: ignore[no-untyped-def]
    model, posterior = conjugate
    mu = posterior.rvs(500, random_state=1)
    found = sm.psis(model, drawn(mu), posterior.logpdf(mu))
    assert np.ptp(found.log_ratios) < 1e-10
    assert found.pareto_k == 0 and found.ess == pytest.approx(500)
    # What is left of the ratio is the marginal likelihood.
    log_evidence = stats.multivariate_normal(np.zeros(4), np.eye(4) + 4).logpdf(Y)
    np.testing.assert_allclose(found.log_ratios, log_evidence, rtol=1e-10)


def test_weighted_draws_have_the_moments_of_the_posterior(conjugate) -> None:  # type: ignore[no-untyped-def]
    model, posterior = conjugate
    q = stats.norm(posterior.mean() + 0.4, 1.5 * posterior.std())
    mu = q.rvs(4000, random_state=2)
    found = sm.psis(model, drawn(mu), q.logpdf(mu))
    assert found.is_good and 1000 < found.ess < 4000
    weights = np.exp(found.log_weights)
    assert weights.sum() == pytest.approx(1)
    mean = weights @ mu
    error = np.sqrt(np.sum(weights**2 * (mu - mean) ** 2))
    assert abs(mean - posterior.mean()) < 4 * error
    again = found.resampled(3000, seed=1)["mu"].values.ravel()
    assert abs(again.mean() - mean) < 4 * posterior.std() / np.sqrt(3000)


@pytest.fixture(scope="module")
def bounded() -> sm.Model:
    """A model whose parameters have bounds, an order and a sum."""
    y = [0, 1, 0, 2, 9, 8, 14, 7]
    return sm.model("y ~ mix(poisson, K=2)", {"y": y}, priors={"rate": "gamma(2, 0.3)"})


def test_densities_of_both_scales_give_the_same_weights(bounded: sm.Model) -> None:
    rng = np.random.default_rng(3)
    transforms = bounded.transforms()
    center = transforms.unconstrain({"rate": np.array([1.0, 9.0]), "weights": np.array([0.5, 0.5])})
    q = stats.multivariate_normal(center, 0.15 * np.eye(3))
    points = q.rvs(2000, random_state=rng)
    draws, log_q = transforms.constrain(points), q.logpdf(points)
    one = sm.psis(bounded, draws, log_q)
    other = sm.psis(bounded, draws, log_q - transforms.log_jacobian(points), scale="constrained")
    np.testing.assert_allclose(one.log_ratios, other.log_ratios, rtol=1e-8)
    asked = sm.psis(bounded, draws, q.logpdf)
    np.testing.assert_allclose(asked.log_ratios, one.log_ratios, rtol=1e-6)


def test_the_density_of_parameters_is_that_of_its_formula(bounded: sm.Model) -> None:
    # Of any draws, with log q = 0: the log density of the prior and of the responses.
    rng = np.random.default_rng(4)
    rate = np.sort(rng.gamma(2, 3, size=(200, 2)), axis=1)
    weights = rng.dirichlet([2, 2], size=200)
    found = sm.psis(bounded, {"rate": rate, "weights": weights}, np.zeros(200), scale="constrained")
    y = bounded.table.columns["y"].to_numpy()
    each = stats.poisson(rate[:, None]).logpmf(y[:, None]) + np.log(weights)[:, None]
    exact = logsumexp(each, axis=-1).sum(axis=-1)
    exact += stats.gamma(2, scale=1 / 0.3).logpdf(rate).sum(axis=-1)
    exact += stats.dirichlet([2, 2]).logpdf(weights.T)
    off = found.log_ratios - exact
    np.testing.assert_allclose(off, off[0], atol=1e-8)


def test_draws_that_break_a_constraint_have_no_weight(bounded: sm.Model) -> None:
    rng = np.random.default_rng(5)
    rate = np.sort(rng.gamma([8, 80], 0.12, size=(400, 2)), axis=1)
    weights = rng.dirichlet([20, 20], size=400)
    rate[:100] = rate[:100, ::-1]
    found = sm.psis(bounded, {"rate": rate, "weights": weights}, np.zeros(400), scale="constrained")
    assert found.broken == {"`rate` must increase": 0.25}
    assert np.isneginf(found.log_weights[:100]).all()
    assert "25.0% of the draws break: `rate` must increase" in repr(found)
    assert np.exp(found.log_weights[100:]).sum() == pytest.approx(1)


@pytest.mark.engine
def test_a_mode_that_the_tool_lacks_is_seen_from_the_reference() -> None:
    # A posterior of two modes that are equal but for the sign: mu, and the labels with it.
    y = [-3.1, -2.9, -3.0, 3.0, 3.1, 2.9]
    priors = {"mu": "normal(0, 4)"}
    model = sm.model("y ~ mix(normal(sigma=1), K=2, order=none)", {"y": y}, priors=priors)
    low = {"mu": np.array([-3.0, 3.0]), "weights": np.array([0.5, 0.5])}
    high = {"mu": np.array([3.0, -3.0]), "weights": np.array([0.5, 0.5])}
    fit = model.fit(engine="stanli", chains=2, draws=400, inits=[low, high], seed=1)
    transforms = model.transforms()
    q = stats.multivariate_normal(transforms.unconstrain(low), np.diag([0.4, 0.4, 0.6]))
    points = q.rvs(1000, random_state=6)
    found = sm.psis(fit, transforms.constrain(points), q.logpdf)
    # Its own draws say nothing of it.
    assert found.is_good
    assert found.lacking == pytest.approx(0.5, abs=0.02)
    assert "lacks a part of the posterior" in repr(found)


def test_weights_that_cannot_be_trusted_are_not_used(conjugate) -> None:  # type: ignore[no-untyped-def]
    model, posterior = conjugate
    q = stats.norm(posterior.mean() + 1.5, 0.3 * posterior.std())
    mu = q.rvs(1000, random_state=7)
    found = sm.psis(model, drawn(mu), q.logpdf(mu))
    assert not found.is_good
    with pytest.raises(sm.SpecError, match="Pareto k of the weights"):
        found.resampled()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_q": np.zeros(99)}, "`log_q` has 99 values, and there are 200 draws"),
        ({"log_q": np.full(200, np.nan)}, "`log_q` is NaN or infinite at some draws"),
        ({"log_q": "x"}, "`log_q` must be numbers, or a function"),
        ({"log_q": lambda points: points}, "`log_q` gives values of shape"),
        ({"log_q": np.zeros(200), "scale": "log"}, "`scale` is one of"),
    ],
)
def test_densities_that_make_no_sense_are_refused(conjugate, options, message) -> None:  # type: ignore[no-untyped-def]
    model, posterior = conjugate
    with pytest.raises(sm.StanmixError, match=message):
        sm.psis(model, drawn(posterior.rvs(200, random_state=8)), **options)


def test_models_whose_parameters_have_no_such_density_are_refused() -> None:
    data = {"a": [0.1, 3.0, -3.0, 0.2]}
    model = sm.model("a ~ mix(von_mises, K=1)", data)
    with pytest.raises(sm.SpecError, match="`mu` is sampled as more numbers"):
        sm.psis(model, {"mu": np.zeros((200, 1))}, np.zeros(200))
    with pytest.raises(sm.DataError, match="A fit or a model is needed"):
        sm.psis("model", {"mu": np.zeros((200, 1))}, np.zeros(200))  # type: ignore[arg-type]


def test_copies_of_one_draw_are_worth_one(conjugate) -> None:  # type: ignore[no-untyped-def]
    model, posterior = conjugate
    q = stats.norm(posterior.mean() + 0.4, 1.5 * posterior.std())
    rejected = 0
    for seed in range(100):
        mu = q.rvs(1000, random_state=seed)
        found = sm.psis(model, drawn(mu), q.logpdf(mu))
        exact = drawn(posterior.rvs(2000, random_state=1000 + seed))
        again = found.resampled(2000, seed=seed)
        rejected += sm.distances(exact, again, variables="mu").loc["mu[1]", "p_value"] <= 0.05
    # The upper 99.9 % of a binomial count of 100 at 0.05.
    assert rejected <= stats.binom.ppf(0.999, 100, 0.05)


def test_densities_by_chain_and_draw_are_those_of_their_draws() -> None:
    model = sm.model("y ~ mix(normal(sigma=1), K=1)", {"y": Y}, priors={"mu": "normal(0, 2)"})
    rng = np.random.default_rng(9)
    mu, log_q = rng.normal(size=(2, 100, 1)), rng.normal(size=(2, 100))
    dims = ("chain", "draw")
    given = xr.Dataset(
        {"mu": ((*dims, "state"), mu), "weights": ((*dims, "state"), np.ones_like(mu))}
    )
    found = sm.psis(model, given, xr.DataArray(log_q, dims=dims))
    turned = sm.psis(model, given, xr.DataArray(log_q.T, dims=dims[::-1]))
    np.testing.assert_array_equal(found.log_ratios, turned.log_ratios)
    with pytest.raises(sm.DataError, match=r"`log_q` has the shape \(100, 2\)"):
        sm.psis(model, given, log_q.T)
    column = sm.psis(model, given, log_q.reshape(200, 1))
    np.testing.assert_array_equal(found.log_ratios, column.log_ratios)
    # What is no draw of a parameter is no matter.
    more = given.assign(step=xr.DataArray(0.5), note=(dims, np.full((2, 100), "a")))
    again = sm.psis(model, more, np.zeros(200)).resampled()
    assert set(again) == {"mu", "weights"}
    log_q[0, :40] = np.inf
    with pytest.raises(sm.DataError, match="`log_q` is NaN or infinite"):
        sm.psis(model, given, log_q)
