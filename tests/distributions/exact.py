"""Densities of the families, written down once more, to many digits."""

from __future__ import annotations

from typing import Any

from mpmath import MPContext

mp = MPContext()
mp.dps = 120
mpf = mp.mpf


def log_phi(z: Any) -> Any:
    return -z * z / 2 - mp.log(2 * mp.pi) / 2


def log_below(z: Any) -> Any:
    """Log probability of a standard normal variable below z."""
    return mp.log(mp.erfc(-z / mp.sqrt(2)) / 2)


def log_normal(y: Any, mu: Any, sigma: Any) -> Any:
    return log_phi((y - mu) / sigma) - mp.log(sigma)


def log_student(y: Any, mu: Any, sigma: Any, nu: Any) -> Any:
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2
    return constant - (nu + 1) / 2 * mp.log(1 + ((y - mu) / sigma) ** 2 / nu) - mp.log(sigma)


def log_laplace(y: Any, mu: Any, sigma: Any) -> Any:
    return -abs(y - mu) / sigma - mp.log(2 * sigma)


def log_logistic(y: Any, mu: Any, sigma: Any) -> Any:
    z = (y - mu) / sigma
    return -z - 2 * mp.log(1 + mp.exp(-z)) - mp.log(sigma)


def log_gumbel(y: Any, mu: Any, sigma: Any) -> Any:
    z = (y - mu) / sigma
    return -z - mp.exp(-z) - mp.log(sigma)


def log_exgaussian(y: Any, mu: Any, sigma: Any, tau: Any) -> Any:
    ratio, z = sigma / tau, (y - mu) / sigma
    return ratio * (ratio / 2 - z) + log_below(z - ratio) - mp.log(tau)


def log_skew_normal(y: Any, mu: Any, sigma: Any, alpha: Any) -> Any:
    z = (y - mu) / sigma
    return mp.log(2) + log_phi(z) + log_below(alpha * z) - mp.log(sigma)


def log_lognormal(y: Any, mu: Any, sigma: Any) -> Any:
    return log_normal(mp.log(y), mu, sigma) - mp.log(y)


def log_exponential(y: Any, rate: Any) -> Any:
    return mp.log(rate) - rate * y


def log_gamma(y: Any, mu: Any, shape: Any) -> Any:
    rate = shape / mu
    return shape * mp.log(rate) - mp.loggamma(shape) + (shape - 1) * mp.log(y) - rate * y


def log_weibull(y: Any, scale: Any, shape: Any) -> Any:
    x = y / scale
    return mp.log(shape / scale) + (shape - 1) * mp.log(x) - x**shape


def log_loglogistic(y: Any, scale: Any, shape: Any) -> Any:
    x = y / scale
    return mp.log(shape / scale) + (shape - 1) * mp.log(x) - 2 * mp.log(1 + x**shape)


def log_frechet(y: Any, scale: Any, shape: Any) -> Any:
    x = y / scale
    return mp.log(shape / scale) - (shape + 1) * mp.log(x) - x**-shape


def log_beta(y: Any, mu: Any, phi: Any) -> Any:
    a, b = mu * phi, (1 - mu) * phi
    return (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y) - mp.log(mp.beta(a, b))


def log_von_mises(y: Any, mu: Any, kappa: Any) -> Any:
    return kappa * mp.cos(y - mu) - mp.log(2 * mp.pi * mp.besseli(0, kappa))


def log_wald(y: Any, threshold: Any, drift: Any, ndt: Any) -> Any:
    t = y - ndt
    constant = mp.log(threshold) - mp.log(2 * mp.pi) / 2 - 3 * mp.log(t) / 2
    return constant - (threshold - drift * t) ** 2 / (2 * t)


FAMILIES: dict[str, Any] = {
    name.removeprefix("log_"): function
    for name, function in list(globals().items())
    if name.startswith("log_") and name not in ("log_phi", "log_below")
}


def log_mixture(y: Any, terms: list[tuple[float, str, dict[str, float]]]) -> Any:
    """Log density of weighted components at a number."""
    found = [
        mp.log(mpf(w)) + FAMILIES[name](mpf(y), **{n: mpf(v) for n, v in given.items()})
        for w, name, given in terms
        if w > 0
    ]
    top = max(found)
    return top + mp.log(mp.fsum(mp.exp(term - top) for term in found))
