"""Summaries and diagnostics of draws: what they say, and whether to believe them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from stanmix.errors import ConvergenceWarning, warn

RHAT = 1.01
"""Largest R-hat of chains that agree (Vehtari et al. 2021)."""

APART = 1.1
"""R-hat beyond which chains are not only short: they are in different places."""

ESS_PER_CHAIN = 100
"""Smallest effective sample size a chain (Vehtari et al. 2021)."""

BFMI = 0.3
"""Smallest energy Bayesian fraction of missing information (Betancourt 2016)."""


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


@dataclass(frozen=True)
class Diagnosis:
    """What the draws say about themselves.

    Parameters
    ----------
    invariant
        `summarise` of quantities that do not depend on labels. R-hat is to be read here first: what
        is bad here is no matter of labels.
    labelled
        The same of the parameters.
    divergent, saturated
        Divergent draws; draws whose tree reached its largest depth.
    draws
        All draws.
    bfmi
        E-BFMI of every chain.
    switching
        Whether labels may switch, because nothing orders components that are alike.
    """

    invariant: pd.DataFrame
    labelled: pd.DataFrame
    divergent: int
    saturated: int
    draws: int
    bfmi: tuple[float, ...]
    switching: bool

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        return (*self.serious, *self._minor())

    @property
    def serious(self) -> tuple[str, ...]:
        """Of the problems those that leave the draws unfit for use."""
        found = []
        stuck = _stuck(self.invariant) or _stuck(self.labelled)
        if stuck and self._has_r_hat:
            found.append(
                f"`{stuck}` has no R-hat: the chains did not move, or hold values that are not "
                "finite."
            )
        if self.divergent:
            found.append(
                f"{self.divergent} of {self.draws} draws diverged: parts of the posterior may be "
                "missing. A higher `adapt_delta` takes smaller steps."
            )
        invariant, labelled = _worst(self.invariant), _worst(self.labelled)
        if invariant[1] > APART:
            found.append(
                f"Chains disagree about `{invariant[0]}`, which does not depend on labels "
                f"(R-hat {invariant[1]:.3f}): they are in different modes, or far too short."
            )
        elif labelled[1] > APART and not self.switching:
            found.append(
                f"Chains disagree about `{labelled[0]}` (R-hat {labelled[1]:.3f}): they are far "
                "too short."
            )
        return tuple(found)

    @property
    def _has_r_hat(self) -> bool:
        return len(self.bfmi) >= 2 and self.draws >= 4 * len(self.bfmi)

    def _minor(self) -> Iterator[str]:
        if not self._has_r_hat:
            yield (
                "R-hat cannot be had from fewer than 2 chains of 4 draws, so nothing is known of "
                "convergence."
            )
        invariant, labelled = _worst(self.invariant), _worst(self.labelled)
        if self.switching and labelled[1] > APART >= invariant[1]:
            yield (
                f"Chains disagree about `{labelled[0]}` (R-hat {labelled[1]:.3f}), but not about "
                "what does not depend on labels: their labels differ."
            )
        if self.saturated:
            yield (
                f"{self.saturated} draws reached the largest tree depth: sampling is slow, "
                "not wrong."
            )
        low = [i for i, value in enumerate(self.bfmi) if value < BFMI]
        if low:
            yield (
                f"E-BFMI is below {BFMI} in chain {', '.join(map(str, low))}: the chain explores "
                "the tails badly."
            )
        worst = max(invariant, labelled, key=lambda element: element[1])
        if RHAT < worst[1] <= APART:
            yield f"Chains do not agree yet about `{worst[0]}` (R-hat {worst[1]:.3f}): draw more."
        ess = self.labelled[["ess_bulk", "ess_tail"]].min(axis=1)
        if ess.min() < ESS_PER_CHAIN * len(self.bfmi):
            yield (
                f"`{ess.idxmin()}` has an effective sample size of {ess.min():.0f}; more draws "
                "are needed."
            )

    def __repr__(self) -> str:
        if self.problems:
            return "\n".join(self.problems)
        name, r_hat = _worst(self.labelled)
        ess = self.labelled["ess_bulk"].min()
        return (
            f"No problems found: no divergent draws, R-hat at most {r_hat:.3f} ({name}), "
            f"bulk ESS at least {ess:.0f} of {self.draws} draws."
        )


def _stuck(table: pd.DataFrame) -> str:
    """An element without R-hat, but for what is 1 or 0 by definition.

    The probability of a single component, moves that are not allowed, the coefficients of those
    that others are compared with.
    """
    certain = table["mean"].isin([0.0, 1.0]) & (table["sd"] == 0.0)
    stuck = table.index[table["r_hat"].isna() & ~certain]
    return str(stuck[0]) if len(stuck) else ""


def _worst(table: pd.DataFrame) -> tuple[str, float]:
    """The element with the largest R-hat, of those that have one."""
    r_hat = table["r_hat"].dropna()
    return (str(r_hat.idxmax()), float(r_hat.max())) if len(r_hat) else ("", 1.0)


def diagnose(
    draws: xr.DataTree, invariants: Mapping[str, xr.DataArray], switching: bool
) -> Diagnosis:
    """The diagnosis of draws.

    Parameters
    ----------
    draws
        The draws of a fit.
    invariants
        Quantities that do not depend on labels, (chain, draw, ...) each.
    switching
        Whether labels may switch.

    Returns
    -------
    Diagnosis
        Tables, counts, and in words what is wrong.
    """
    stats = draws["sample_stats"].to_dataset()
    energy = stats["energy"].values
    steps = np.sum(np.diff(energy, axis=1) ** 2, axis=1)
    spread = np.sum((energy - energy.mean(axis=1, keepdims=True)) ** 2, axis=1)
    bfmi = np.divide(steps, spread, out=np.full(len(spread), np.nan), where=spread > 0)
    parts = [summarise(values.to_dataset(name=name)) for name, values in invariants.items()]
    return Diagnosis(
        invariant=pd.concat(parts),
        labelled=summarise(draws["posterior"].to_dataset()),
        divergent=int(stats["diverging"].sum()),
        saturated=int(stats["reached_max_treedepth"].sum()),
        draws=int(stats["diverging"].size),
        bfmi=tuple(float(v) for v in bfmi),
        switching=switching,
    )


def agreeing(invariants: Mapping[str, xr.DataArray]) -> list[tuple[int, ...]]:
    """Which chains are in one place, by their places from 0.

    Chains agree where no R-hat of two of them, on what does not depend on labels, is above 1.1;
    and all that agree with one of a group are of that group.

    Parameters
    ----------
    invariants
        As in `diagnose`.
    """
    chains = next(iter(invariants.values())).sizes["chain"]
    group = np.arange(chains)
    for one, other in itertools.combinations(range(chains), 2):
        if group[one] != group[other] and _r_hat(invariants, [one, other]) <= APART:
            group[group == group[other]] = group[one]
    found = [tuple(int(c) for c in np.flatnonzero(group == g)) for g in np.unique(group)]
    return sorted(found)


def _r_hat(invariants: Mapping[str, xr.DataArray], chains: list[int]) -> float:
    """The largest R-hat of some chains; 1 where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        each = [
            float(arviz_stats.rhat(values.isel(chain=chains).to_dataset(name="q"))["q"].max())
            for values in invariants.values()
        ]
    return max((value for value in each if np.isfinite(value)), default=1.0)


def warn_of(diagnosis: Diagnosis) -> None:
    """Warn of what leaves the draws unfit for use."""
    if diagnosis.serious:
        text = " ".join(diagnosis.serious)
        warn(f"{text} `diagnose()` says more.", ConvergenceWarning)
