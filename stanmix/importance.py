"""Importance sampling: draws of one distribution, weighted to stand for another.

References
----------
Kallioinen, N., Paananen, T., Bürkner, P.-C., & Vehtari, A. (2024). Detecting and diagnosing prior
and likelihood sensitivity with power-scaling. *Statistics and Computing*, 34, 57.

Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
cross-validation and WAIC. *Statistics and Computing*, 27, 1413-1432.

Vehtari, A., Simpson, D., Gelman, A., Yao, Y., & Gabry, J. (2024). Pareto smoothed importance
sampling. *Journal of Machine Learning Research*, 25(72), 1-58.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.special import logsumexp

from stanmix.errors import SpecError

Array = NDArray[np.float64]

FEWEST = 100
"""Fewest draws from which a tail can be told."""


def good_k(draws: int) -> float:
    """The largest Pareto k that `draws` draws can deal with (Vehtari et al. 2024)."""
    return float(min(1 - 1 / np.log10(max(draws, 10)), 0.7))


def psis(values: Array) -> pd.DataFrame:
    """Leave-one-out terms by Pareto-smoothed importance sampling.

    Parameters
    ----------
    values
        Log density of each thing left out given the others, at draws that saw all: (chain, draw,
        place).

    Returns
    -------
    DataFrame
        `elpd`, `lpd`, `mcse` and `pareto_k` of each place.

    Raises
    ------
    SpecError
        There are too few draws.
    """
    if values.shape[0] * values.shape[1] < FEWEST:
        raise SpecError(f"Importance sampling needs {FEWEST} draws or more.")
    shares = efficiency(values)
    found: dict[str, list[float]] = {"elpd": [], "mcse": [], "pareto_k": []}
    for place, log_density in enumerate(np.moveaxis(values, -1, 0)):
        log_weights, k = smoothed(-log_density.ravel(), shares[place])
        elpd, mcse = log_weighted_mean(log_density.ravel(), log_weights, shares[place])
        for name, value in (("elpd", elpd), ("mcse", mcse), ("pareto_k", k)):
            found[name].append(value)
    return pd.DataFrame({"lpd": log_mean(values)[0], **found})


def smoothed(log_ratios: Array, efficiency: float = 1.0) -> tuple[Array, float]:
    """Smoothed, normalised log weights of draws, and their Pareto k.

    It is infinite, and the weights are as they were, where ties leave no tail to smooth.
    """
    if np.ptp(log_ratios) < 1e-10:
        # All alike: there is no tail to smooth.
        return np.full(len(log_ratios), -np.log(len(log_ratios))), 0.0
    try:
        # It is made for log likelihoods, of which the ratios are the negative.
        log_weights, k = array_stats.psislw(-log_ratios, r_eff=efficiency)
    except ValueError:
        # The largest are all alike, as where a chain is stuck: no tail that one could trust.
        return log_ratios - logsumexp(log_ratios), np.inf
    return np.asarray(log_weights - logsumexp(log_weights)), float(k)


def power_sensitivity(
    values: Array, lower: Array, upper: Array, alphas: tuple[float, float]
) -> Array:
    """How much distributions change with the power of a part of the posterior density.

    The cumulative Jensen-Shannon distance between draws and weighted draws, for a change of the
    logarithm (to base 2) of the power by 1, as the mean of a smaller and a larger power (Kallioinen
    et al. 2024).

    Parameters
    ----------
    values
        (draw, element).
    lower, upper
        Weights of the draws at the two powers.
    alphas
        The powers.

    Returns
    -------
    ndarray, shape (element,)
        Of elements that do not vary, NaN.
    """
    found = np.full(values.shape[1], np.nan)
    # What rounding alone moves does not vary.
    moves = np.ptp(values, axis=0) > 1e-12 * np.abs(values).max(axis=0)
    for i in np.flatnonzero(moves):
        # As one chain.
        own = (values[None, :, i], lower[None], upper[None])
        found[i] = array_stats.power_scale_sense(*own, *alphas)
    return found


def efficiency(values: Array) -> Array:
    """Independent draws of each density (chain, draw, place), as a share of all draws: (place)."""
    density = np.exp(values - values.max(axis=(0, 1)))
    draws = values.shape[0] * values.shape[1]
    ess = array_stats.ess(density, chain_axis=0, draw_axis=1, method="mean")
    # It cannot be had from constants, and few draws.
    return np.asarray(np.clip(np.nan_to_num(ess / draws, nan=1.0), 1 / draws, 1.0))


def log_weighted_mean(
    log_densities: Array, log_weights: Array, efficiency: float
) -> tuple[float, float]:
    """Log of the mean of densities over weighted draws, and its Monte Carlo error.

    Parameters
    ----------
    log_densities, log_weights
        (draw) both; the weights sum to 1.
    efficiency
        Independent draws as a share of all draws.
    """
    mean = float(logsumexp(log_weights + log_densities))
    # Relative to the mean, and so on the scale of its log.
    off = np.exp(log_weights) * np.expm1(log_densities - mean)
    return mean, float(np.sqrt(np.sum(off**2) / efficiency))


def log_mean(values: Array) -> tuple[Array, Array]:
    """Log of the mean of densities over draws, and its Monte Carlo error.

    Parameters
    ----------
    values
        Log densities (chain, draw, place).

    Returns
    -------
    tuple
        (place) both.
    """
    draws = values.shape[0] * values.shape[1]
    log_means = logsumexp(values, axis=(0, 1)) - np.log(draws)
    off = np.exp(values - log_means).std(axis=(0, 1))
    return log_means, np.asarray(off / np.sqrt(draws * efficiency(values)))
