"""Quantities that do not depend on labels, on which convergence is to be judged first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent
from stanmix.program.rows import arrange
from stanmix.questions.asking import CHUNK, THIN, Asked, Block, ask

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
    """Log density of a few rows or units (mixture), or of each series, at draws that fit memory."""
    model = fit.model
    cells = model.table.n_rows * model.spec.K
    asked = ask(fit, draws=max(THIN, CHUNK // cells))
    if model.spec.kind == "hmm":
        chains = [latent.log_likelihood(*block.chain) for block in asked.blocks()]
        return _by_element(asked, "series", np.concatenate(chains), asked.rows.series_labels)
    unit = model.rows.unit_of_row
    some = np.flatnonzero(np.isin(unit, _spread(len(model.rows.unit_size))))
    table = model.table.taken(some)
    asked = replace(asked, table=table, rows=arrange(model.spec, table))

    def density(block: Block) -> Array:
        return latent.mixture_log_density(block.log_omega, block.weights)

    places = asked.places
    return _by_element(
        asked, places.dim, np.concatenate(list(asked.answers(density))), places.labels
    )


def _by_element(asked: Asked, what: str, values: Array, labels: Iterable[Any]) -> xr.DataArray:
    return asked.over_draws(values, {"element": [f"{what} {label}" for label in labels]})


def _spread(n: int) -> NDArray[np.int64]:
    """About 20 of `n` places, evenly spread."""
    return np.unique(np.linspace(0, n - 1, 20).astype(np.int64))


def _sorted(values: xr.DataArray, dim: str) -> xr.DataArray:
    axis = values.get_axis_num(dim)
    ranked = values.copy(data=np.sort(values.values, axis=axis)).rename({dim: "rank"})
    return ranked.drop_vars(ranked.coords)
