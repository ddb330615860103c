"""Relabelling: one numbering of the components for all draws, where nothing orders them.

Components that are alike may change places between draws and between chains, and the posterior is
the same. A method says how well a draw's components match those of a target, and the best match is
an optimal assignment, of which there is one for each draw. Targets and numberings are improved in
turn until they stay.

References
----------
Papastamoulis, P., & Iliopoulos, G. (2010). An artificial allocations based solution to the label
switching problem in Bayesian analysis of mixtures of distributions. *Journal of Computational and
Graphical Statistics*, 19, 313-331.

Marin, J.-M., Mengersen, K., & Robert, C. P. (2005). Bayesian modelling and inference on mixtures of
distributions. *Handbook of Statistics*, 25, 459-507.

Rodriguez, C. E., & Walker, S. G. (2014). Label switching in Bayesian mixture models: Deterministic
relabeling strategies. *Journal of Computational and Graphical Statistics*, 23, 25-45.

Stephens, M. (2000). Dealing with label switching in mixture models. *Journal of the Royal
Statistical Society B*, 62, 795-809.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import optimize

from stanmix.data import numbers
from stanmix.errors import SpecError, percent, require_one_of
from stanmix.permutations import can_be_renumbered, interchangeable, permuted
from stanmix.questions.asking import ask
from stanmix.questions.states import state_probabilities
from stanmix.spec import Use

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

Method = Literal["stephens", "ecr", "pivotal", "data"]
"""How matches are judged: see `relabel`."""

ROWS = 500
"""Most rows, evenly spread, whose probabilities are compared."""

ROUNDS = 100
"""Most times that targets and numberings are improved in turn."""

LEAST = 1e-6
"""The least probability of a target, and weight of a component."""

FORBIDDEN = 1e12
"""The cost of a match that may not be."""

CLEAR = np.log(20.0)
"""By how many nats the best numbering of a draw must beat all others to be clear."""


@dataclass(frozen=True, repr=False, eq=False)
class Relabelled:
    """A fit whose components have one numbering, and what it took.

    Parameters
    ----------
    fit
        The fit with its components renumbered.
    method
        How.
    permutations
        The component, from 1, that each now is, before: (chain, draw, state).
    ambiguous
        Share of draws of which another numbering is nearly as good: its probabilities of
        components match the average ones by less than log 20 nats worse.
    smallest
        The share of rows in the smallest component or the rarest state, on average over draws.
    """

    fit: Fit
    method: str
    permutations: xr.DataArray
    ambiguous: float
    smallest: float

    @property
    def moved(self) -> xr.DataArray:
        """Share of the draws of each chain that are not numbered as most draws of all chains."""
        values = self.permutations.values.reshape(-1, self.permutations.sizes["state"])
        numberings, counts = np.unique(values, axis=0, return_counts=True)
        usual = numberings[np.argmax(counts)]
        moved: xr.DataArray = (self.permutations != usual).any("state").mean("draw")
        return moved

    def __repr__(self) -> str:
        moved = ", ".join(percent(share) for share in self.moved.values)
        return (
            f"Relabelled by {self.method}: of the draws of each chain {moved} were numbered "
            f"differently from most; {percent(self.ambiguous)} of all draws are ambiguous; the "
            f"smallest component has {percent(self.smallest)} of the rows."
        )


def relabel(fit: Fit, method: Method = "stephens", *, to: Any = None) -> Relabelled:
    """Number the components alike in all draws, where nothing orders them.

    Parameters
    ----------
    method
        What of the components is matched. "stephens": the probabilities of rows to be theirs, by
        Kullback-Leibler divergence from the averages (Stephens 2000). "ecr": the rows that are
        most probably theirs, and those of the draw of highest density (Papastamoulis & Iliopoulos
        2010). "pivotal": their parameters, and those of that draw, then the averages, in units of
        their spread (after Marin et al. 2005). "data": the rows that are most probably theirs, and
        the mean and spread of these rows (Rodriguez & Walker 2014).
    to
        What to match in place of that: another fit of the same rows, whose memberships are the
        target; or known labels, from 1, one for each row or unit, None or NaN where unknown.

    Returns
    -------
    Relabelled
        The fit, renumbered, and how many draws that moved. Without `to`, components are numbered
        by increasing location where all have one, else by decreasing weight.

    Raises
    ------
    SpecError
        Components are ordered, or told apart by priors or labels, so that there is nothing to
        renumber; there is no such method; `to` does not fit.

    Notes
    -----
    Which chains disagree about what does not depend on labels is to be looked at first: draws from
    different modes have no common numbering.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> formula = "y ~ mix(normal(sigma=1), K=2, order=none)"
    >>> f = sm.fit(formula, {"y": y}, engine="stanli", chains=1, seed=1)
    >>> f.relabel().fit.summary()["mean"].round()["mu[1]"]
    np.float64(0.0)
    """
    require_one_of("method", method, get_args(Method))
    blocks = interchangeable(fit.model.spec)
    probabilities = _probabilities(fit)
    if to is not None:
        target = _target(to, fit)
        costs = _divergence(probabilities, target)
        numbering = _assigned(costs, blocks)
    else:
        numbering = _METHODS[method](fit, probabilities, blocks)
        numbering = numbering[:, _canonical(fit, numbering, probabilities, blocks)]
    renumbered = _permuted(probabilities, numbering)
    ambiguous = float((_margin(fit, renumbered, blocks) < CLEAR).mean())
    least = float(probabilities.mean(axis=1).min(axis=1).mean())
    again = permuted(fit, numbering)
    sizes = fit.draws["posterior"].sizes
    labelled = xr.DataArray(
        numbering.reshape(sizes["chain"], sizes["draw"], -1) + 1,
        dims=("chain", "draw", "state"),
        coords={"state": list(fit.model.spec.labels["state"])},
    )
    how = method if to is None else "matching"
    return Relabelled(again, how, labelled, ambiguous, least)


def one_numbering(fit: Fit, to: Fit | None = None) -> Fit:
    """The fit with one numbering of its components, where nothing orders those that are alike.

    Parameters
    ----------
    fit
        The fit; it is returned as it is where components are ordered, or differ.
    to
        Another fit of the model, whose numbering it is to be; by `relabel` alone if not given.
    """
    return fit.relabel(to=to).fit if can_be_renumbered(fit.model.spec) else fit


def _probabilities(fit: Fit) -> Array:
    """p(component | rows) of some rows, or units, at all draws: (draw, place, state)."""
    asked = ask(fit, draws=None)
    some = _some(len(asked.rows.unit_size))
    return np.concatenate([p[:, some] for p in asked.answers(state_probabilities)])


# Methods: how well each component of each draw matches each of a target, (draw, target, component),
# the less the better.


def _divergence(probabilities: Array, target: Array) -> Array:
    """Kullback-Leibler divergence of rows' probabilities from target ones (row, state).

    What does not depend on the numbering is left out.
    """
    log_target = np.log(np.maximum(target, LEAST))
    return np.asarray(-np.einsum("dnk,nj->djk", probabilities, log_target, optimize=True))


def _stephens(fit: Fit, probabilities: Array, blocks: Integers) -> Integers:
    def improved(numbering: Integers) -> Array:
        return _divergence(probabilities, _permuted(probabilities, numbering).mean(axis=0))

    return _settled(_divergence(probabilities, probabilities[_pivot(fit)]), improved, blocks)


def _ecr(fit: Fit, probabilities: Array, blocks: Integers) -> Integers:
    allocations = _allocations(probabilities)
    return _assigned(-np.einsum("dnk,nj->djk", allocations, allocations[_pivot(fit)]), blocks)


def _pivotal(fit: Fit, probabilities: Array, blocks: Integers) -> Integers:
    posterior = fit.draws["posterior"].to_dataset().transpose("chain", "draw", "state", ...)
    features = []
    for values in posterior.values():
        if "state" in values.dims:
            each = values.values.reshape(-1, *values.shape[2:])
            if "state_to" in values.dims:
                each = np.diagonal(each, axis1=1, axis2=2).swapaxes(1, -1)
            features.append(each.reshape(*each.shape[:2], -1))
    points = np.concatenate(features, axis=2)
    points = points[..., points.std(axis=(0, 1)) > 0]

    def costs(target: Array, scale: Array) -> Array:
        off = (points[:, None] - target[:, None]) / scale
        return np.asarray((off**2).sum(axis=-1))

    def improved(numbering: Integers) -> Array:
        # Parameters that differ between components count for more than those that do not.
        renumbered = np.take_along_axis(points, numbering[..., None], axis=1)
        within = renumbered.std(axis=0, ddof=1).mean(axis=0)
        return costs(renumbered.mean(axis=0), np.maximum(within, LEAST))

    return _settled(costs(points[_pivot(fit)], points.std(axis=(0, 1))), improved, blocks)


def _by_data(fit: Fit, probabilities: Array, blocks: Integers) -> Integers:
    y, allocations = _responses(fit, probabilities.shape[1]), _allocations(probabilities)
    seen = ~np.isnan(y)
    filled = np.where(seen, y, 0.0)

    def costs(weights: Array) -> Array:
        """From the mean and spread of rows, weighted (row, state)."""
        total = np.maximum(weights.T @ seen, LEAST)
        mean = weights.T @ filled / total
        variance = weights.T @ filled**2 / total - mean**2
        variance = np.maximum(variance, 1e-6 * np.nanvar(y, axis=0))
        off = (filled[:, None] - mean) ** 2 / variance + np.log(variance)
        each = np.where(seen[:, None], off, 0.0).sum(axis=-1)
        return np.asarray(np.einsum("dnk,nj->djk", allocations, each, optimize=True))

    def improved(numbering: Integers) -> Array:
        return costs(_permuted(allocations, numbering).mean(axis=0))

    return _settled(costs(allocations[_pivot(fit)]), improved, blocks)


_METHODS: dict[str, Callable[[Fit, Array, Integers], Integers]] = {
    "stephens": _stephens,
    "ecr": _ecr,
    "pivotal": _pivotal,
    "data": _by_data,
}


def _responses(fit: Fit, places: int) -> Array:
    """The columns of numbers of the rows whose probabilities are compared, or of unit means."""
    spec, table, rows = fit.model.spec, fit.model.table, fit.model.rows
    named = [r for r in spec.responses if not r.addition]
    columns = [c for r in named if r.kind not in ("category", "choice") for c in r.columns]
    if not columns:
        raise SpecError('The "data" method needs responses that are numbers.')
    y = np.column_stack([numbers(table, column, missing=True) for column in columns])
    if spec.unit is not None:
        y = pd.DataFrame(y).groupby(rows.unit_of_row).mean().to_numpy()
    return np.asarray(y[_some(len(y))])


def _allocations(probabilities: Array) -> Array:
    """1 for the most probable component of each row, else 0."""
    return np.asarray(np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)])


def _pivot(fit: Fit) -> int:
    """The draw of highest density."""
    return int(np.argmax(fit.draws["sample_stats"].to_dataset()["lp"].values))


def _settled(costs: Array, improved: Callable[[Integers], Array], blocks: Integers) -> Integers:
    """Numberings that stay when their target is worked out from them again."""
    numbering = _assigned(costs, blocks)
    for _ in range(ROUNDS):
        again = _assigned(improved(numbering), blocks)
        if (again == numbering).all():
            break
        numbering = again
    return numbering


def _assigned(costs: Array, blocks: Integers) -> Integers:
    """For each draw the component of each target, of the least total cost: (draw, target)."""
    apart = np.where(blocks[:, None] == blocks, 0.0, FORBIDDEN)
    return np.array([optimize.linear_sum_assignment(cost + apart)[1] for cost in costs])


def _permuted(probabilities: Array, numbering: Integers) -> Array:
    return np.take_along_axis(probabilities, numbering[:, None], axis=2)


def _margin(fit: Fit, probabilities: Array, blocks: Integers) -> Array:
    """By how many nats the next best numbering of each draw is worse: (draw)."""
    costs = _divergence(probabilities, probabilities.mean(axis=0))
    costs *= len(fit.model.rows.unit_size) / probabilities.shape[1]
    costs += np.where(blocks[:, None] == blocks, 0.0, FORBIDDEN)
    K = len(blocks)
    best, others = np.trace(costs, axis1=1, axis2=2), np.full(len(costs), np.inf)
    for d, cost in enumerate(costs):
        # Another numbering gives some component another target.
        for k in range(K):
            without = cost.copy()
            without[k, k] += FORBIDDEN
            rows, columns = optimize.linear_sum_assignment(without)
            others[d] = min(others[d], without[rows, columns].sum())
    return np.asarray(others - best)


def _canonical(fit: Fit, numbering: Integers, probabilities: Array, blocks: Integers) -> Integers:
    """The order of components by location where all have one, else by decreasing weight."""
    spec = fit.model.spec
    values = -_permuted(probabilities, numbering).mean(axis=(0, 1))
    locations = {
        argument.parameter
        for k in range(spec.K)
        for param, argument in zip(
            spec.component(k)[0].declaration.params, spec.component(k)[0].arguments, strict=True
        )
        if param.orders and isinstance(argument, Use) and argument.by_state
    }
    if len(locations) == 1:
        drawn = fit.draws["posterior"][locations.pop()]
        if drawn.dims == ("chain", "draw", "state"):
            flat = drawn.values.reshape(len(numbering), -1)
            values = np.take_along_axis(flat, numbering, axis=1).mean(axis=0)
    order = np.arange(len(blocks))
    for block in np.unique(blocks):
        own = np.flatnonzero(blocks == block)
        order[own] = own[np.argsort(values[own])]
    return order


def _target(to: Any, fit: Fit) -> Array:
    """What `to` says of the rows whose probabilities are compared: (row, state).

    Raises
    ------
    SpecError
        It is of other rows, or says something else.
    """
    from stanmix.fit import Fit

    K, places = fit.model.spec.K, len(fit.model.rows.unit_size)
    if isinstance(to, Fit):
        found = to.membership().to_numpy()
        if found.shape != (places, K):
            raise SpecError("`to` is a fit of other rows, or of another number of components.")
        return np.asarray(found[_some(places)])
    try:
        labels = np.asarray(pd.Series(to), dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(
            "`to` is another fit, or labels from 1, one for each row or unit."
        ) from None
    known = ~np.isnan(labels)
    if labels.shape != (places,) or not np.isin(labels[known], np.arange(1, K + 1)).all():
        raise SpecError(f"`to` must hold {places} labels from 1 to {K}, or NaN where unknown.")
    target = np.ones((places, K))
    target[known] = np.eye(K)[labels[known].astype(np.int64) - 1]
    return target[_some(places)]


def _some(n: int) -> Integers:
    """The places whose probabilities are compared."""
    return np.unique(np.linspace(0, n - 1, min(n, ROWS)).astype(np.int64))
