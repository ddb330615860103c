"""Summaries and diagnostics of draws: what they say, and whether to believe them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

RHAT = 1.01
"""Largest R-hat of chains that agree (Vehtari et al. 2021)."""

CORRELATED = 4.0
"""Correlation of a draw with the next, in its standard errors, that is more than chance."""

APART = 1.1
"""R-hat beyond which chains are not only short: they are in different places."""


def summarise(variables: xr.Dataset) -> pd.DataFrame:
    """Mean, sd, quantiles, Monte Carlo error, ESS and R-hat of every element.

    Parameters
    ----------
    variables
        (chain, draw, ...) each.

    Returns
    -------
    DataFrame
        One row for each element of each variable, with the columns of `Fit.summary`.
    """
    over = ["chain", "draw"]
    with warnings.catch_warnings():
        # Elements that do not vary, or of too few draws, have no sd or R-hat: NaN says so.
        warnings.simplefilter("ignore", RuntimeWarning)
        columns: Mapping[str, xr.Dataset] = {
            "mean": variables.mean(over),
            "sd": variables.std(over, ddof=1),
            "q2.5": variables.quantile(0.025, over).drop_vars("quantile"),
            "median": variables.median(over),
            "q97.5": variables.quantile(0.975, over).drop_vars("quantile"),
            "mcse": arviz_stats.mcse(variables, method="mean"),
            "ess_bulk": arviz_stats.ess(variables, method="bulk"),
            "ess_tail": arviz_stats.ess(variables, method="tail"),
            "r_hat": arviz_stats.rhat(variables),
        }
    return pd.DataFrame({label: elements(values) for label, values in columns.items()})


def independent_draws(values: NDArray[np.float64]) -> float:
    """How many independent draws the draws of several numbers are worth.

    The least effective sample size of the means of all numbers and of their squares. Where none of
    these is correlated with that of the next draw, all draws: the least of many estimates would be
    far below that by chance. Numbers that never vary say nothing; where none does, it is one draw.

    Parameters
    ----------
    values
        (chain, draw, number).
    """
    values = values[..., np.ptp(values, axis=(0, 1)) > 0]
    if not values.shape[-1]:
        return 1.0
    both = np.concatenate([values, (values - values.mean(axis=(0, 1))) ** 2], axis=-1)
    sd = both.std(axis=(0, 1))
    # Squares do not vary where there are two values only.
    both = ((both - both.mean(axis=(0, 1)))[..., sd > 0]) / sd[sd > 0]
    draws = values.shape[0] * values.shape[1]
    if (both[:, 1:] * both[:, :-1]).mean(axis=(0, 1)).max() < CORRELATED / np.sqrt(draws):
        return float(draws)
    ess = array_stats.ess(both, chain_axis=0, draw_axis=1, method="mean")
    # Of chains that are stuck there is none.
    return float(np.nan_to_num(ess, nan=1.0).min())


def element_names(array: xr.DataArray) -> dict[str, tuple[int, ...]]:
    """Every element by its label, `mu[1, waiting]`; of a correlation matrix its upper triangle.

    Parameters
    ----------
    array
        A parameter named as in the posterior, with chains and draws or without.

    Returns
    -------
    dict
        The place of each element along the axes other than `chain` and `draw`.

    Examples
    --------
    >>> import xarray as xr
    >>> element_names(xr.DataArray([0.5, 1.5], dims="state", name="mu"))
    {'mu[1]': (0,), 'mu[2]': (1,)}
    """
    dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
    labels = [
        array[dim].values if dim in array.coords else range(1, array.sizes[dim] + 1) for dim in dims
    ]
    # Correlations; transitions are no such matrix.
    matrix = len(dims) > 1 and dims[-1] == f"{dims[-2]}_to" and dims[-2] != "state"
    found = {}
    for place in np.ndindex(*(array.sizes[dim] for dim in dims)):
        if matrix and place[-2] >= place[-1]:
            continue
        index = ", ".join(str(labels[d][i]) for d, i in enumerate(place))
        found[f"{array.name}[{index}]" if index else str(array.name)] = place
    return found


def elements(values: xr.Dataset) -> dict[str, float]:
    """The elements of variables, by label."""
    return {
        label: float(array.values[place])
        for array in values.data_vars.values()
        for label, place in element_names(array).items()
    }


def agreeing(invariants: Mapping[str, xr.DataArray]) -> list[tuple[int, ...]]:
    """Which chains are in one place, by their places from 0.

    Groups are of chains of which no R-hat, together, is above 1.1 for what does not depend on
    labels: beginning with each chain by itself, the two groups that agree best are put together
    until none do.

    Parameters
    ----------
    invariants
        As in `diagnose`.
    """
    chains = next(iter(invariants.values())).sizes["chain"]
    if _r_hat(invariants, list(range(chains))) <= APART:
        return [tuple(range(chains))]
    groups: list[tuple[int, ...]] = [(chain,) for chain in range(chains)]
    while len(groups) > 1:
        pairs = list(itertools.combinations(groups, 2))
        apart = [_r_hat(invariants, [*one, *other]) for one, other in pairs]
        best = int(np.argmin(apart))
        if apart[best] > APART:
            break
        one, other = pairs[best]
        groups = [g for g in groups if g not in (one, other)] + [tuple(sorted(one + other))]
    return sorted(groups)


def _r_hat(invariants: Mapping[str, xr.DataArray], chains: list[int]) -> float:
    """The largest R-hat of some chains; 1 where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        each = [
            float(arviz_stats.rhat(values.isel(chain=chains).to_dataset(name="q"))["q"].max())
            for values in invariants.values()
        ]
    return max((value for value in each if np.isfinite(value)), default=1.0)
