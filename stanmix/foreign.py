"""Draws that no engine of stanmix made, as draws of a model: of another tool, or of a network.

The program constrains and evaluates them as it does its own, so that every question may be asked of
them, and so that their densities are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.errors import DataError, listing, percent
from stanmix.fit import Fit
from stanmix.given import broken_constraints, given_values
from stanmix.named_draws import ROUNDED, Source, read
from stanmix.program.declare import effect_axes
from stanmix.questions.asking import flat
from stanmix.spec import ModelSpec, reported
from stanmix.storage import data_groups, labelled
from stanmix.unconstrained import target_of

if TYPE_CHECKING:
    from stanmix.model import Model

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

WHAT = "The draws"
"""What they are called in errors."""


@dataclass(frozen=True, eq=False)
class Points:
    """Draws on the scale on which a program is sampled.

    Parameters
    ----------
    values
        (draw, number); NaN for draws that break a constraint.
    broken
        For each constraint that draws break, as words, the share that do: ``{"`mu` must
        increase": 0.2}``.
    """

    values: Array
    broken: Mapping[str, float]

    @property
    def good(self) -> Mask:
        """Which draws break no constraint: (draw)."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    def require_some(self) -> None:
        """Raise DataError if no draw is one of the model."""
        if not self.good.any():
            raise DataError(f"No draw is one of the model: {next(iter(self.broken))}.")


def with_draws(model: Model, draws: Source, *, origin: str = "given draws") -> Fit:
    """Draws of another tool as a fit of this model; see `Model.with_draws`."""
    given = read(draws, WHAT, like=template(model.spec))
    found = points_of(model, given)
    if found.broken:
        said = "; ".join(
            f"{text} ({percent(share)} of the draws do not)" for text, share in found.broken.items()
        )
        raise DataError(f"{WHAT} are none of this model: {said}.")
    sizes = given.sizes["chain"], given.sizes["draw"]
    return fit_at(model, found.values.reshape(*sizes, -1), origin)


def fit_at(model: Model, points: Array, origin: str = "given draws") -> Fit:
    """A fit with draws at points (chain, draw, number) without bounds.

    Parameters
    ----------
    model
        The model.
    points
        On the scale of `Model.transforms`.
    origin
        What made them.
    """
    target = target_of(model)
    chains, count = points.shape[:2]
    every = points.reshape(chains * count, -1)
    variables = {
        name: values.reshape(chains, count, *values.shape[1:])
        for name, values in target.constrain(every).items()
    }
    lp = target.log_density(every).reshape(chains, count)
    along = {"chain": np.arange(1, chains + 1), "draw": np.arange(count)}
    stats = xr.Dataset(
        {"lp": (("chain", "draw"), lp), "diverging": (("chain", "draw"), np.zeros_like(lp, bool))},
        coords=along,
        attrs={"seed": 0, "warmup": 0, "given": 1},
    )
    groups = {n: g.assign_coords(along) for n, g in labelled(model.spec, variables).items()}
    groups |= {"sample_stats": stats, **data_groups(model.spec, model.table)}
    return Fit(model, xr.DataTree.from_dict(groups), origin)


def points_of(model: Model, draws: xr.Dataset) -> Points:
    """Draws (chain, draw, ...) as points without bounds, chain after chain.

    Raises
    ------
    DataError
        A parameter is missing.
    """
    spec = model.spec
    known = [str(name) for name in template(spec)]
    missing = [name for name in known if name not in draws]
    if missing:
        raise DataError(f"{WHAT} have no {listing(missing)}.")
    values = flat(draws[known])
    count = len(next(iter(values.values())))
    good, broken = np.ones(count, dtype=bool), {}
    for parameter in spec.parameters:
        for text, mask in broken_constraints(spec, parameter, values[parameter.name], ROUNDED):
            good &= ~mask
            if mask.any():
                broken[f"`{parameter.name}` {text}"] = float(mask.mean())
    for name in known[len(spec.parameters) :]:
        # Effects of groups, which may be any numbers.
        mask = np.asarray(~np.isfinite(values[name].reshape(count, -1)).all(axis=1))
        good &= ~mask
        if mask.any():
            broken[f"`{name}` must be finite"] = float(mask.mean())
    kept = {name: value[good] for name, value in values.items()}
    transforms = model.transforms()
    points = np.full((count, transforms.size), np.nan)
    if set(transforms.names) <= set(kept):
        points[good] = transforms.unconstrain(kept)
    elif good.any():
        # What is sampled under other names follows from all parameters of a draw together.
        each = [
            given_values(spec, {n: v[i] for n, v in kept.items()}, 1, ROUNDED)
            for i in range(good.sum())
        ]
        stacked = {name: np.stack([one[name] for one in each]) for name in each[0]}
        points[good] = target_of(model).unconstrain(stacked)
    return Points(points, broken)


def template(spec: ModelSpec) -> xr.Dataset:
    """The shapes and labels of the posterior, without draws in it."""
    axes = {p.name: reported(p.axes) for p in spec.parameters}
    for regression in spec.regressions:
        for effect in regression.groups:
            axes[f"r_{effect.name}"] = effect_axes(spec, regression, effect)
    labels = spec.labels
    return xr.Dataset(
        {
            name: xr.DataArray(
                np.full((1, 1, *(spec.sizes[axis] for axis in own)), np.nan),
                dims=["chain", "draw", *own],
                coords={axis: labels[axis] for axis in own},
            )
            for name, own in axes.items()
        }
    )
