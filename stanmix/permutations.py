"""Components that change places: which may, and what that does to the draws of a fit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.errors import SpecError, listing
from stanmix.given import given_values
from stanmix.spec import ModelSpec, Parameter, Use

if TYPE_CHECKING:
    from stanmix.fit import Fit

Integers = NDArray[np.int64]


def interchangeable(spec: ModelSpec) -> Integers:
    """For each component a number, the same for those that may change places.

    Raises
    ------
    SpecError
        No two may, or how they may is not known.
    """
    if spec.ordered:
        raise SpecError(
            f"{listing(spec.ordered)} orders the components, so their numbers mean the same."
        )
    if not spec.labels_may_switch:
        raise SpecError("The components differ, so their numbers mean the same in all draws.")
    if spec.allowed is not None:
        raise SpecError("Not all moves are allowed, so states cannot change places at will.")
    telling = told_apart(spec)
    if telling:
        raise SpecError(
            f"The prior of `{telling}` tells components apart: their numbers mean something, and "
            "other numbers would have another density."
        )
    if any(r.component is not None for r in spec.regressions):
        raise SpecError("Components with regressions of their own are not renumbered.")
    return np.array(spec.alike)


def can_be_renumbered(spec: ModelSpec) -> bool:
    """Whether some components may change places, and it is known how."""
    try:
        interchangeable(spec)
    except SpecError:
        return False
    return True


def told_apart(spec: ModelSpec) -> str:
    """The first parameter whose prior differs between components that are alike otherwise."""
    blocks = np.array(spec.alike)
    telling = (p.name for p in spec.parameters if _tells_apart(spec, p, blocks))
    return next(telling, "")


def _tells_apart(spec: ModelSpec, parameter: Parameter, blocks: Integers) -> bool:
    """Whether the prior of a parameter differs between components that are alike otherwise."""
    along = [i for i, a in enumerate(parameter.axes) if a in ("state", "state_to")]
    latent = [i for i, a in enumerate(parameter.axes) if a in ("contrast", "move")]
    named = {i for e in parameter.priors for i, place in enumerate(e.index) if place}
    if named & set(latent):
        return True
    if parameter.constraint == "simplex" and parameter.axes[-1] in ("state", "state_to"):
        dirichlets = [e.prior for e in parameter.priors if e.prior.distribution == "dirichlet"]
        if any(len({a.value for a in prior.arguments}) > 1 for prior in dirichlets):
            return True
    if not along:
        return False
    sizes = [spec.sizes[axis] for axis in parameter.axes]
    for first, second in itertools.combinations(range(1, spec.K + 1), 2):
        if blocks[first - 1] != blocks[second - 1]:
            continue
        swap = {first: second, second: first}
        for place in np.ndindex(*sizes):
            index = tuple(i + 1 for i in place)
            other = tuple(swap.get(v, v) if i in along else v for i, v in enumerate(index))
            if parameter.prior_at(index) != parameter.prior_at(other):
                return True
    return False


def permuted(fit: Fit, numbering: Integers) -> Fit:
    """The fit with the components of each draw renumbered.

    Parameters
    ----------
    fit
        The fit.
    numbering
        The component, from 0, that each is to be: (draw, state), chain after chain.
    """
    spec = fit.model.spec
    groups = {name: node.to_dataset() for name, node in fit.draws.children.items()}
    posterior = groups["posterior"]
    by_chain = numbering.reshape(posterior.sizes["chain"], posterior.sizes["draw"], -1)
    groups["posterior"] = renumbered(spec, posterior, by_chain)
    if "sampled" in groups:
        groups["sampled"] = _sampled_again(spec, groups["posterior"], groups["sampled"])
    return replace(fit, draws=xr.DataTree.from_dict(groups))


def renumbered(spec: ModelSpec, posterior: xr.Dataset, numbering: Integers) -> xr.Dataset:
    """Variables of a posterior with the components of each draw renumbered.

    Parameters
    ----------
    spec
        The model.
    posterior
        Some of its variables, (chain, draw, ...) each.
    numbering
        The component, from 0, that each is to be: (chain, draw, state).
    """
    order = xr.DataArray(numbering, dims=("chain", "draw", "state"))
    moved = {
        str(name): values.copy(data=_reordered(values, order).values)
        for name, values in posterior.items()
    }
    for names in _own_names(spec):
        if not set(names.values()) <= set(posterior):
            continue
        stacked = np.stack([posterior[name].values for name in names.values()], axis=2)
        places = {k: i for i, k in enumerate(names)}
        for k, name in names.items():
            own = np.vectorize(places.__getitem__)(order.values[..., k])
            index = own.reshape(*own.shape, *(1,) * (stacked.ndim - 2))
            moved[name] = moved[name].copy(data=np.take_along_axis(stacked, index, axis=2)[:, :, 0])
    return posterior.assign(moved)


def _reordered(values: xr.DataArray, order: xr.DataArray) -> xr.DataArray:
    """A variable with its axes of states in another order for each draw."""
    for dim in ("state", "state_to"):
        if dim in values.dims:
            axis = values.get_axis_num(dim)
            shape = [n if d in ("chain", "draw", dim) else 1 for d, n in values.sizes.items()]
            index = order.values.reshape(shape)
            values = values.copy(data=np.take_along_axis(values.values, index, axis=axis))
    return values


def _own_names(spec: ModelSpec) -> list[dict[int, str]]:
    """Parameters that are one component's own by name, by component; those that change places."""
    if spec.homogeneous:
        return []
    found: dict[tuple[int, int, int], dict[int, str]] = {}
    for k, block in enumerate(spec.alike):
        for i, term in enumerate(spec.component(k)):
            for j, argument in enumerate(term.arguments):
                if isinstance(argument, Use) and not argument.by_state:
                    found.setdefault((block, i, j), {})[k] = argument.parameter
    return [names for names in found.values() if len(set(names.values())) > 1]


def _sampled_again(spec: ModelSpec, posterior: xr.Dataset, sampled: xr.Dataset) -> xr.Dataset:
    """What the program samples under other names, from draws of the posterior."""
    values = {str(name): array.values for name, array in posterior.items()}
    found = {str(name): np.empty(array.shape) for name, array in sampled.items()}
    for chain, draw in np.ndindex(posterior.sizes["chain"], posterior.sizes["draw"]):
        here = {name: array[chain, draw] for name, array in values.items()}
        for name, value in given_values(spec, here, chain + 1).items():
            if name in found:
                found[name][chain, draw] = value
    return sampled.assign({n: sampled[n].copy(data=v) for n, v in found.items()})
