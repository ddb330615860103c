"""Stacking: the weights of predictive distributions whose average predicts best.

References
----------
Yao, Y., Vehtari, A., & Gelman, A. (2022). Stacking for non-mixing Bayesian computations: the curse
and blessing of multimodal posteriors. *Journal of Machine Learning Research*, 23(79), 1-45.

Yao, Y., Vehtari, A., Simpson, D., & Gelman, A. (2018). Using stacking to average Bayesian
predictive distributions. *Bayesian Analysis*, 13, 917-1007.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import optimize

from stanmix.elpd import Elpd
from stanmix.errors import SpecError, StanmixWarning, warn

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class Stacked:
    """Chains that are in different modes, weighted by how well they predict together.

    Parameters
    ----------
    fit
        The fit with draws of all chains in proportion to their weights, as one chain. It is no
        posterior: of that, modes have their masses, whatever they predict.
    table
        A row for each `chain`: its `weight`, and the `elpd` of its draws alone.
    """

    fit: Fit
    table: pd.DataFrame

    def __repr__(self) -> str:
        table = self.table.to_string(float_format=lambda v: f"{v:.3g}")
        return f"Stacking weights of chains, which are no posterior masses\n\n{table}"


def stack(fit: Fit, kind: str | None = None) -> Stacked:
    """Weigh chains that do not mix by how well they predict what is left out.

    Where chains are in different modes, how many are in each says nothing. Stacking gives them the
    weights of the best average of their predictive distributions (Yao et al. 2022). This is not the
    posterior; `modes()` estimates how much of that each mode has. Components keep the numbers they
    have in each chain: where nothing orders them, `relabel` the fit first.

    Parameters
    ----------
    kind
        What is left out, as in `loo`.

    Returns
    -------
    Stacked
        The weights, and a fit with draws in proportion to them.

    Raises
    ------
    SpecError
        There is one chain only; or as in `loo`.

    Warns
    -----
    ConvergenceWarning
        As `loo` does, with the number of the chain before it.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> f = sm.fit("y ~ mix(normal(sigma=1), K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> float(f.stack().table["weight"].sum())
    1.0
    """
    sizes = fit.draws["posterior"].sizes
    chains = fit.draws["posterior"].to_dataset()["chain"].values
    if len(chains) < 2:
        raise SpecError("There is one chain only, and so nothing to weigh.")
    found: dict[Any, Elpd] = {}
    for place, chain in enumerate(chains):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found[chain] = of_chains(fit, [place]).loo(kind)
        for warning in caught:
            if issubclass(warning.category, StanmixWarning):
                warn(f"Chain {chain}: {warning.message}", warning.category)
    weights = stacking_weights(found)
    counts = _counts(weights, sizes["draw"])
    picked = [
        (np.full(count, place), ((np.arange(count) + 0.5) * sizes["draw"] / count).astype(np.int64))
        for place, count in enumerate(counts)
        if count
    ]
    of_chain, of_draw = (np.concatenate(parts) for parts in zip(*picked, strict=True))
    stacked = _taken(fit, of_chain, of_draw)
    elpd = [one.elpd for one in found.values()]
    table = pd.DataFrame({"weight": weights, "elpd": elpd}, index=pd.Index(chains, name="chain"))
    return Stacked(stacked, table)


def is_stacked(fit: Fit) -> bool:
    """Whether the draws of a fit are those of `stack`, and no posterior."""
    return bool(fit.draws["sample_stats"].attrs.get("stacked", False))


def require_posterior(fit: Fit, question: str) -> None:
    """Raise SpecError if a question about a posterior is put to stacked draws."""
    if is_stacked(fit):
        raise SpecError(
            f"Stacked draws are no posterior; ask the fit whose chains they are for `{question}`."
        )


def stacking_weights(found: Mapping[Any, Elpd]) -> Array:
    """The weights of models in the average of their predictive densities that predicts best.

    Parameters
    ----------
    found
        How well each predicts the same things.

    Returns
    -------
    array
        (model); they sum to 1.
    """
    terms = pd.DataFrame({i: model.terms["elpd"] for i, model in enumerate(found.values())})
    counts = next(iter(found.values())).terms["count"][terms.notna().all(axis=1)].to_numpy()
    terms = terms.dropna()
    # What all models share of a term moves nothing, and would underflow in the terms of series.
    densities = np.exp(terms.to_numpy() - terms.max(axis=1).to_numpy()[:, None])
    each = densities.shape[1]

    def loss(weights: Array) -> tuple[float, Array]:
        mixed = densities @ weights
        return -float(counts @ np.log(mixed)), -densities.T @ (counts / mixed)

    best = optimize.minimize(
        loss,
        np.full(each, 1 / each),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * each,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(each)},
    )
    weights = np.clip(best.x, 0.0, 1.0)
    return np.asarray(weights / weights.sum())


def of_chains(fit: Fit, places: list[int]) -> Fit:
    """The fit with the draws of some of its chains alone, by their places from 0."""
    groups = {name: node.to_dataset() for name, node in fit.draws.children.items()}
    kept = {
        name: group.isel(chain=places) if "chain" in group.dims else group
        for name, group in groups.items()
    }
    return replace(fit, draws=xr.DataTree.from_dict(kept))


def _counts(weights: Array, total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to weights, that sum to a total: by largest remainders."""
    counts = np.floor(weights * total).astype(np.int64)
    rest = np.argsort(counts - weights * total, kind="stable")[: total - counts.sum()]
    counts[rest] += 1
    return counts


def _taken(fit: Fit, chain: NDArray[np.int64], draw: NDArray[np.int64]) -> Fit:
    """The fit with some of its draws, as one chain."""
    along = {"chain": xr.DataArray(chain, dims="taken"), "draw": xr.DataArray(draw, dims="taken")}
    groups = {}
    for name, node in fit.draws.children.items():
        group = node.to_dataset()
        if "chain" in group.dims:
            group = group.isel(along).drop_vars(["chain", "draw"], errors="ignore")
            group = group.rename(taken="draw").expand_dims("chain", axis=0)
            group = group.assign_coords(chain=[1], draw=np.arange(len(draw)))
        groups[name] = group
    groups["sample_stats"].attrs["stacked"] = 1
    return replace(fit, draws=xr.DataTree.from_dict(groups))
