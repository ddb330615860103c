"""The labels of components made to agree in two sets of draws."""

from __future__ import annotations

import numpy as np
import xarray as xr

from stanmix.errors import listing
from stanmix.fit import Fit
from stanmix.foreign import with_draws
from stanmix.permutations import can_be_renumbered, renumbered, told_apart
from stanmix.spec import ModelSpec


def aligned(fit: Fit, other: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset, tuple[str, ...]]:
    """Draws of a fit, and other draws of its model, with the same labels; and what that took.

    Where one parameter orders components that are alike, both are put in that order; where nothing
    orders components that may change places, both are relabelled. Where priors tell components
    apart, labels mean something and stay.
    """
    spec, own = fit.model.spec, fit.draws["posterior"].to_dataset()
    if spec.ordered:
        other, moved = _in_order(spec, other)
        note = (
            f"Components of {moved:.1%} of the other draws were renumbered, in the order of "
            f"{listing(spec.ordered)}."
        )
        return own, other, (note,) if moved else ()
    if not can_be_renumbered(spec):
        return own, other, ()
    relabelled = fit.relabel().fit
    again = with_draws(fit.model, other).relabel(to=relabelled).fit
    return (
        relabelled.draws["posterior"].to_dataset(),
        again.draws["posterior"].to_dataset(),
        ("Components of both were relabelled.",),
    )


def _in_order(spec: ModelSpec, draws: xr.Dataset) -> tuple[xr.Dataset, float]:
    """Draws in which the parameter that orders components increases, and the share that moved."""
    (parameter, *others) = [p for p in spec.parameters if p.order == "state"]
    alike = len(set(spec.alike)) == 1 and not told_apart(spec)
    if others or not alike or parameter.name not in draws:
        return draws, 0.0
    values = draws[parameter.name].transpose("chain", "draw", "state", ...).values
    if parameter.place is not None:
        values = values[..., parameter.place - 1]
    if values.ndim > 3:
        return draws, 0.0
    numbering = np.argsort(values, axis=-1, kind="stable")
    moved = (numbering != np.arange(spec.K)).any(axis=-1)
    if not moved.any():
        return draws, 0.0
    return renumbered(spec, draws, numbering), float(moved.mean())
