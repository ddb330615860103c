"""References far in their tails, where those of scipy underflow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpmath import MPContext

from stanmix.families import FAMILIES

mp = MPContext()
mp.dps = 900
mpf = mp.mpf


@pytest.mark.parametrize("y", [-900.0, -3.0, 0.5, 2.0, 900.0])
def test_a_laplace_distribution_keeps_its_tails(y: float) -> None:
    laplace = FAMILIES["laplace"].reference(mu=0.5, sigma=0.7)
    away = mp.exp(-abs(mpf(y) - 0.5) / mpf(0.7)) / 2
    below = away if y < 0.5 else 1 - away
    assert laplace.logpdf(y) == pytest.approx(float(mp.log(away / mpf(0.7))), rel=1e-14)
    assert laplace.logcdf(y) == pytest.approx(float(mp.log(below)), rel=1e-14)
    assert laplace.logsf(y) == pytest.approx(float(mp.log(1 - below)), rel=1e-14)


@pytest.mark.parametrize(("sigma", "tau"), [(0.7, 2.0), (1.0, 1e-3), (1e-3, 1.0)])
@pytest.mark.parametrize("z", [-900.0, -30.0, -1.0, 0.5, 5.0, 900.0])
def test_an_exgaussian_distribution_keeps_its_tails(z: Any, sigma: float, tau: float) -> None:
    exgaussian = FAMILIES["exgaussian"].reference(mu=0.5, sigma=sigma, tau=tau)
    y = 0.5 + sigma * z
    z, ratio = (mpf(y) - 0.5) / mpf(sigma), mpf(sigma) / mpf(tau)
    kernel = mp.exp(ratio * (ratio / 2 - z)) * mp.erfc((ratio - z) / mp.sqrt(2)) / 2
    normal = mp.erfc(-z / mp.sqrt(2)) / 2
    # What is next to 0 has its digits relative to 1.
    close = {"rel": 1e-12, "abs": 1e-15}
    assert exgaussian.logpdf(y) == pytest.approx(float(mp.log(kernel / tau)), **close)
    assert exgaussian.logcdf(y) == pytest.approx(float(mp.log(normal - kernel)), **close)
    assert exgaussian.logsf(y) == pytest.approx(
        float(mp.log(mp.erfc(z / mp.sqrt(2)) / 2 + kernel)), **close
    )


@pytest.mark.parametrize("y", [1e-250, 1e-3, 2.0, 1e200])
def test_a_loglogistic_distribution_keeps_its_tails(y: float) -> None:
    loglogistic = FAMILIES["loglogistic"].reference(scale=2.0, shape=3.0)
    odds = (mpf(y) / 2) ** 3
    density = 3 * odds / mpf(y) / (1 + odds) ** 2
    assert loglogistic.logpdf(y) == pytest.approx(float(mp.log(density)), rel=1e-13)
    assert loglogistic.logcdf(y) == pytest.approx(float(mp.log(odds / (1 + odds))), rel=1e-13)
    assert loglogistic.logsf(y) == pytest.approx(float(-mp.log(1 + odds)), rel=1e-13)


def test_the_distribution_function_of_a_hurdle_is_a_sum_wherever_it_is_asked_for() -> None:
    hurdle = FAMILIES["hurdle_poisson"].reference(rate=3.0, hu=1e-30)
    counts = np.array([-1, 0, 1, 3, 8, 30, 10**12])
    mass = [mp.exp(-3) * mpf(3) ** n / mp.factorial(n) / (1 - mp.exp(-3)) for n in range(60)]
    mass[0] = mpf(1e-30) / (1 - mpf(1e-30))
    sums = [float((1 - mpf(1e-30)) * mp.fsum(mass[: min(int(n), 59) + 1])) for n in counts]
    np.testing.assert_allclose(np.exp(hurdle.logcdf(counts)), sums, rtol=1e-13)


@pytest.mark.parametrize(
    ("threshold", "drift"), [(1.0, 1.0), (5.0, 0.5), (30.0, 0.1), (0.5, 3.0), (2.0, 0.0)]
)
@pytest.mark.parametrize("t", [1e-3, 0.1, 0.5, 2.0, 20.0, 200.0])
def test_a_wald_distribution_keeps_its_tails(threshold: float, drift: float, t: float) -> None:
    wald = FAMILIES["wald"].reference(threshold=threshold, drift=drift, ndt=0.0)
    a, v, time = mpf(threshold), mpf(drift), mpf(t)
    ahead, mirrored = (a - v * time) / mp.sqrt(time), (a + v * time) / mp.sqrt(time)
    returned = mp.exp(2 * a * v) * mp.erfc(mirrored / mp.sqrt(2)) / 2
    below = mp.erfc(ahead / mp.sqrt(2)) / 2 + returned
    density = mp.log(a) - mp.log(2 * mp.pi * time**3) / 2 - ahead**2 / 2
    exact = [float(x) for x in (density, mp.log(below), mp.log(1 - below))]
    close = {"rel": 1e-11, "abs": 1e-15}
    found = [wald.logpdf(t), wald.logcdf(t), wald.logsf(t)]
    assert found == [pytest.approx(value, **close) for value in exact]


@pytest.mark.parametrize("t", [1e-310, 1e-300, 1e9, 1e300, 1e308])
def test_a_wald_distribution_has_a_value_at_any_time(t: float) -> None:
    wald = FAMILIES["wald"].reference(threshold=1.0, drift=1.0, ndt=0.0)
    found = np.array([wald.logpdf(t), wald.logcdf(t), wald.logsf(t)])
    assert not np.isnan(found).any() and (found < np.inf).all()
    if t > 1:
        assert found[0] == pytest.approx(-t / 2, rel=1e-6) == found[2]


@pytest.mark.parametrize("alpha", [0.5, 30.0, 1e3, 1e6, -1e3, -1e6])
@pytest.mark.parametrize("z", [-2.0, -0.02, -1e-5, 1e-6, 0.1, 0.5, 5.0])
def test_a_skew_normal_distribution_of_any_skewness_keeps_both_sides(
    alpha: float, z: float
) -> None:
    skewed = FAMILIES["skew_normal"].reference(mu=1.0, sigma=2.0, alpha=alpha)
    digits, mp.dps = mp.dps, 40
    h, slope = abs(mpf(z)), abs(mpf(alpha))
    bends = [mpf(10) ** n for n in range(-4, 7) if mpf(10) ** n < slope]
    owen = mp.quad(lambda x: mp.exp(-(h**2) * (1 + x**2) / 2) / (1 + x**2), [0, *bends, slope])
    normal = mp.erfc(-h / mp.sqrt(2)) / 2
    # The side that 0 is on.
    inner = normal - owen / mp.pi if alpha * z > 0 else normal + owen / mp.pi
    exact = float(mp.log(inner))
    mp.dps = digits
    found = skewed.logcdf(1.0 + 2.0 * z) if z > 0 else skewed.logsf(1.0 + 2.0 * z)
    # What is rounded is y.
    assert float(found[0]) == pytest.approx(exact, rel=1e-9, abs=1e-14)


def test_the_distribution_function_of_a_steep_skew_normal_increases() -> None:
    skewed = FAMILIES["skew_normal"].reference(mu=0.0, sigma=1.0, alpha=1e4)
    below = skewed.logcdf(np.linspace(-0.001, 0.8, 3000))
    assert (np.diff(below) > 0).all()
