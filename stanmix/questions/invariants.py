"""Quantities that do not depend on labels, on which convergence is to be judged first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent
from stanmix.questions.asking import CHUNK, THIN, Block, ask

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]


def invariants(fit: Fit) -> dict[str, xr.DataArray]:
    """Log density, sorted weights or stay probabilities, and log likelihoods, by name.

    Parameters
    ----------
    fit
        The fit.
    """
    posterior = fit.draws["posterior"].to_dataset()
    found: dict[str, Any] = {"lp": fit.draws["sample_stats"]["lp"]}
    found |= sorted_probabilities(posterior)
    found["log likelihood"] = _log_likelihood(fit)
    return found


def sorted_probabilities(posterior: xr.Dataset) -> dict[str, xr.DataArray]:
    """Weights of a mixture, or probabilities to stay in a state, the smallest first, by name.

    Parameters
    ----------
    posterior
        Draws.
    """
    if "weights" in posterior:
        return {"sorted weights": _sorted(posterior["weights"], "state")}
    stay = xr.DataArray(
        np.diagonal(posterior["transition"].values, axis1=-2, axis2=-1),
        dims=["chain", "draw", "state"],
    )
    return {"sorted stay probabilities": _sorted(stay, "state")}


def _log_likelihood(fit: Fit) -> xr.DataArray:
    """Log density of a few units (mixture) or of each series, at draws that fit in memory."""
    cells = fit.model.table.n_rows * fit.model.spec.K
    asked = ask(fit, draws=max(THIN, CHUNK // cells))

    def mixture(block: Block) -> Array:
        log_omega, weights = block.log_omega, block.weights
        some = _spread(log_omega.shape[1])
        weights = weights if weights.ndim == 2 else weights[:, some]
        return latent.mixture_log_density(log_omega[:, some], weights)

    def series(block: Block) -> Array:
        return latent.log_likelihood(*block.chain)

    question = mixture if fit.model.spec.kind == "mix" else series
    values = np.concatenate([question(block) for block in asked.blocks()])
    places = asked.places
    dim, labels = places.dim, list(places.labels)
    if fit.model.spec.kind == "hmm":
        dim, labels = "series", list(asked.rows.series_labels)
    else:
        back = np.arange(len(labels)) if dim == "unit" else asked.rows.order
        labels = [labels[back[i]] for i in _spread(len(labels))]
    return asked.over_draws(values, {"element": [f"{dim} {label}" for label in labels]})


def _spread(n: int) -> NDArray[np.int64]:
    """About 20 of `n` places, evenly spread."""
    return np.unique(np.linspace(0, n - 1, 20).astype(np.int64))


def _sorted(values: xr.DataArray, dim: str) -> xr.DataArray:
    axis = values.get_axis_num(dim)
    ranked = values.copy(data=np.sort(values.values, axis=axis)).rename({dim: "rank"})
    return ranked.drop_vars(ranked.coords)
