"""The labels of components made to agree in two sets of draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from stanmix.errors import listing, percent
from stanmix.fit import Fit
from stanmix.foreign import Points, fit_at, points_of
from stanmix.labels import one_numbering
from stanmix.model import Model
from stanmix.permutations import can_be_renumbered, renumbered, told_apart
from stanmix.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class Aligned:
    """Draws of a fit, and other draws of its model, with the same labels of components.

    Parameters
    ----------
    reference, candidate
        The draws.
    notes
        What that took: sentences.
    """

    reference: xr.Dataset
    candidate: xr.Dataset
    notes: tuple[str, ...]


def aligned(fit: Fit, other: xr.Dataset) -> Aligned:
    """Draws of a fit, and other draws of its model, with the same labels.

    Where one parameter orders components that are alike, both are put in that order; where nothing
    orders components that may change places, both are relabelled. Where priors tell components
    apart, labels mean something and stay.

    Parameters
    ----------
    fit
        The fit.
    other
        The others. Where components are relabelled, all parameters are needed, and draws that
        break a constraint are left out.
    """
    spec = fit.model.spec
    if not can_be_renumbered(spec):
        return Aligned(fit.draws["posterior"].to_dataset(), *in_order(spec, other))
    points = points_of(fit.model, other)
    notes = [
        f"{percent(share)} of the other draws were left out: {text}."
        for text, share in points.broken.items()
    ]
    ours = one_numbering(fit)
    theirs = one_numbering(kept(fit.model, points, other.sizes["chain"]), to=ours)
    return Aligned(
        ours.draws["posterior"].to_dataset(),
        theirs.draws["posterior"].to_dataset(),
        (*notes, "Components of both were relabelled."),
    )


def kept(model: Model, points: Points, chains: int) -> Fit:
    """The draws that break no constraint; as one chain where some do.

    Raises
    ------
    DataError
        All do.
    """
    points.require_some()
    values = points.values[points.good]
    parts = chains if points.good.all() else 1
    return fit_at(model, values.reshape(parts, -1, values.shape[1]))


def in_order(spec: ModelSpec, draws: xr.Dataset) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Draws in which the parameter that orders components increases, and what that took.

    Where several do, or components differ, there is no telling what an order would be.
    """
    ordering = [p for p in spec.parameters if p.order == "state"]
    alike = len(set(spec.alike)) == 1 and not told_apart(spec)
    if len(ordering) != 1 or not alike or ordering[0].name not in draws:
        return draws, ()
    (parameter,) = ordering
    values = draws[parameter.name].transpose("chain", "draw", "state", ...).values
    if parameter.place is not None:
        values = values[..., parameter.place - 1]
    if values.ndim > 3:
        return draws, ()
    numbering = np.argsort(values, axis=-1, kind="stable")
    moved = (numbering != np.arange(spec.K)).any(axis=-1)
    if not moved.any():
        return draws, ()
    note = (
        f"Components of {percent(moved.mean())} of the other draws were renumbered, in the order "
        f"of {listing(spec.ordered)}."
    )
    return renumbered(spec, draws, numbering), (note,)
