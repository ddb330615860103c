"""Draws that no engine of stanmix made, as draws of a model: of another tool, or of a network.

The program constrains and evaluates them as it does its own, so that every question may be asked of
them, and so that their densities are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.errors import DataError, listing
from stanmix.fit import Fit
from stanmix.inits import broken_constraint, given_values
from stanmix.named_draws import Source, read
from stanmix.program.declare import effect_axes
from stanmix.questions.asking import flat
from stanmix.spec import ModelSpec, reported
from stanmix.storage import labelled
from stanmix.unconstrained import target_of

if TYPE_CHECKING:
    from stanmix.model import Model

Array = NDArray[np.float64]

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


def with_draws(model: Model, draws: Source, *, origin: str = "given draws") -> Fit:
    """Draws of another tool as a fit of this model; see `Model.with_draws`."""
    given = read(draws, WHAT, like=template(model.spec))
    found = points_of(model, given)
    if found.broken:
        said = "; ".join(
            f"{text} ({share:.1%} of the draws do not)" for text, share in found.broken.items()
        )
        raise DataError(f"{WHAT} are none of this model: {said}.")
    target = target_of(model)
    chains, count = given.sizes["chain"], given.sizes["draw"]
    variables = {
        name: values.reshape(chains, count, *values.shape[1:])
        for name, values in target.constrain(found.values).items()
    }
    lp = target.log_density(found.values).reshape(chains, count)
    along = {"chain": np.arange(1, chains + 1), "draw": np.arange(count)}
    stats = xr.Dataset(
        {"lp": (("chain", "draw"), lp), "diverging": (("chain", "draw"), np.zeros_like(lp, bool))},
        coords=along,
        attrs={"seed": 0, "warmup": 0},
    )
    groups = {n: g.assign_coords(along) for n, g in labelled(model.spec, variables).items()}
    return Fit(model, xr.DataTree.from_dict({**groups, "sample_stats": stats}), origin)


def points_of(model: Model, draws: xr.Dataset) -> Points:
    """Draws (chain, draw, ...) as points without bounds, chain after chain.

    Raises
    ------
    DataError
        A parameter is missing, or has another shape.
    """
    spec = model.spec
    known = [str(name) for name in template(spec)]
    missing = [name for name in known if name not in draws]
    if missing:
        raise DataError(f"{WHAT} have no {listing(missing)}.")
    values = flat(draws[known])
    count = len(next(iter(values.values())))
    parts: list[dict[str, Array]] = []
    broken: Counter[str] = Counter()
    good = np.ones(count, dtype=bool)
    for i in range(count):
        here = {name: v[i] for name, v in values.items()}
        wrong = [
            f"`{p.name}` {text}"
            for p in spec.parameters
            if (text := broken_constraint(spec, p, here[p.name]))
        ]
        if any("must have shape" in text for text in wrong):
            raise DataError(f"{wrong[0]}.")
        broken.update(wrong)
        good[i] = not wrong
        if not wrong:
            parts.append(given_values(spec, here, 1))
    target = target_of(model)
    points = np.full((count, target.size), np.nan)
    if parts:
        stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        points[good] = target.unconstrain(stacked)
    return Points(points, {text: n / count for text, n in broken.items()})


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
