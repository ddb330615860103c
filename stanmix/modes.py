"""The modes of a posterior: how many there are, how much mass each has, and which chains found it.

Chains that agree do not prove that there is no other mode. So points all over are climbed from, and
so are draws of every chain. Where two climbs end is one mode if the density does not fall on the
straight way from one end to the other. Its mass is worked out by importance sampling, from Student
distributions about all modes together, adapted to the posterior.

References
----------
Cappe, O., Douc, R., Guillin, A., Marin, J.-M., & Robert, C. P. (2008). Adaptive importance sampling
in general mixture classes. *Statistics and Computing*, 18, 447-459.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from stanmix.engines import engine as find_engine
from stanmix.engines.base import Optimum, Target, Variables
from stanmix.errors import (
    ConvergenceWarning,
    SamplingError,
    listing,
    require_count,
    warn,
)
from stanmix.importance import good_k, smoothed
from stanmix.inits import starting_points
from stanmix.permutations import can_be_renumbered, told_apart
from stanmix.questions.asking import flat, seed_of, thinned
from stanmix.stacking import require_posterior
from stanmix.starts import Starts
from stanmix.storage import labelled
from stanmix.unconstrained import target_of

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ATTEMPTS = 4
"""Points tried for each from which to climb, some of which may have no density."""

CLIMBS = 5
"""Draws of each chain that are climbed from."""

BETWEEN = np.linspace(0, 1, 11)[1:-1]
"""Where, on the way from one mode to another, the density is looked at."""

FALL = 0.1
"""By how much the log density may fall on the way within a mode."""

POLISHING = 20
"""Most Newton steps from where a climb ends to the mode."""

PROPOSALS = 2000
"""Points drawn about each mode."""

ADAPTATIONS = 4
"""How often the distributions about modes are adapted."""

NU = 7.0
"""Degrees of freedom of the distributions about modes."""

LEAST = 0.01
"""Mass of a mode beyond which one is warned that no chain has found it."""


@dataclass(frozen=True, repr=False, eq=False)
class Modes:
    """The modes of a posterior.

    Parameters
    ----------
    table
        A row for each `mode`, from 1, by decreasing mass: `mass`, its approximate share of the
        posterior; `lp`, the log density at its top, on the scale on which the posterior is sampled;
        `climbs`, how many of those from points all over ended in it; and `chain 1`, ...: of the
        draws of that chain that were climbed from, the share that ended in it.
    parameters
        Where each has its top, by the names of the posterior: (mode, ...) each.
    pareto_k
        How well masses are known: they are rough where this is above `good_k`.
    good_k
        The largest Pareto k that can be trusted.
    ordered
        The parameters that order the components.
    repeated
        Whether modes may be numberings of each other, which are not known to be the same: states
        that nothing orders, and of which not all moves are allowed.
    """

    table: pd.DataFrame
    parameters: xr.Dataset
    pareto_k: float
    good_k: float
    ordered: tuple[str, ...]
    repeated: bool

    @property
    def missed(self) -> pd.DataFrame:
        """The rows of `table` of modes that no chain has found."""
        return self.table[(self._found.fillna(0.0) == 0).all(axis=1)]

    @property
    def _found(self) -> pd.DataFrame:
        """The share of each chain's climbs that ended in each mode."""
        return self.table[[name for name in self.table if str(name).startswith("chain ")]]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        missed = self.missed[self.missed["mass"] > LEAST]
        if self.repeated:
            found.append(
                "Modes may be numberings of each other, so whether chains have missed any is not "
                "known; an order (`order=`) would tell."
            )
        elif len(missed):
            which = f"mode{'s' * (len(missed) > 1)} {', '.join(map(str, missed.index))}"
            found.append(
                f"No chain has found {which}, with about {missed['mass'].sum():.0%} of the mass. "
                "More chains, or chains that start there (`inits=modes.inits(chains)`), would."
            )
            if self.ordered:
                found.append(
                    f"Where components cross, the order by {listing(self.ordered)} cuts a mode in "
                    "two: `order=none` with `relabel()`, or another order, leaves it whole."
                )
        silent = [str(name) for name in self._found if self._found[name].isna().all()]
        if silent:
            found.append(f"No climb from {' and '.join(silent)} came to an end.")
        if self.pareto_k > self.good_k and len(self.table) > 1:
            found.append(
                f"The masses are rough: Pareto k is {self.pareto_k:.2f}, above {self.good_k:.2f}."
            )
        return tuple(found)

    def inits(self, chains: int = 4) -> list[dict[str, Array]]:
        """Starting points for chains: the tops of the modes in turn, by decreasing mass.

        Parameters
        ----------
        chains
            How many.

        Returns
        -------
        list of dict
            As `stanmix.fit` takes them.

        Raises
        ------
        SpecError
            `chains` is no whole number from 1 on.
        """
        require_count("chains", chains, 1)
        places = np.arange(chains) % self.parameters.sizes["mode"]
        return [
            {str(n): v.values for n, v in self.parameters.isel(mode=place).items()}
            for place in places
        ]

    def __repr__(self) -> str:
        table = self.table.to_string(float_format=lambda v: f"{v:.3g}")
        return "\n\n".join([table, *self.problems])


def modes(fit: Fit, *, starts: int = 40, climbs: int = CLIMBS, seed: int | None = None) -> Modes:
    """Look for the modes of the posterior, from points all over and from the draws of every chain.

    Parameters
    ----------
    starts
        From how many points all over it climbs, which come from rough splits of the rows.
    climbs
        From how many draws of each chain it climbs.
    seed
        Seed of what is drawn; that of the fit if not given.

    Returns
    -------
    Modes
        The modes, up to the numbering of components that nothing orders: their masses, and which
        chains found them.

    Raises
    ------
    SpecError
        `starts` or `climbs` is no whole number from 1 on; or the draws are stacked.
    SamplingError
        No climb came to an end.

    Warns
    -----
    ConvergenceWarning
        Modes that no chain has found have more than 1 % of the mass.

    Notes
    -----
    Tops and masses are on the scale on which the posterior is sampled, with its Jacobian. Where
    nothing orders components, a mode in which two are the same has fewer numberings than others,
    and its mass comes out too large. In many dimensions, from some dozens on, masses are rough, and
    `pareto_k` says so. That nothing more is found is no proof that nothing more is there.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> f = sm.fit("y ~ mix(normal(sigma=0.3), K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.modes().table["mass"].round(2).tolist()
    [1.0]
    """
    require_count("starts", starts, 1)
    require_count("climbs", climbs, 1)
    require_posterior(fit, "modes()")
    model = fit.model
    rng = np.random.default_rng(seed_of(fit, seed))
    search = Starts(find_engine("stanli"), model.program, model.spec, model.data, model.rows)
    points = starting_points(model.spec, model.data, model.rows, rng)
    tried = itertools.islice(points, ATTEMPTS * int(starts))
    possible = itertools.islice(filter(search.is_possible, tried), int(starts))
    ends = [(-1, search.climb(start)) for start in possible]
    ends += [(chain, search.climb(start)) for chain, start in _some_draws(fit, climbs)]
    found = [(chain, end) for chain, end in ends if end is not None]
    if not found:
        raise SamplingError("No climb to a mode came to an end; `diagnose()` may say why.")
    numbered = _one_numbering(fit, [end for _, end in found])
    target = target_of(model)
    tops, mode = _grouped(target, target.unconstrain(flat(numbered)))
    masses, pareto_k = _masses(target, tops, rng)
    order = np.argsort(-masses)
    origin = np.array([chain for chain, _ in found])
    table = pd.DataFrame({"mass": masses, "lp": target.log_density(tops)})
    each = np.arange(len(tops))
    table["climbs"] = (mode[origin < 0] == each[:, None]).sum(axis=1)
    for chain, name in enumerate(fit.draws["posterior"].to_dataset()["chain"].values):
        own = origin == chain
        ended = (mode[own] == each[:, None]).sum(axis=1)
        table[f"chain {name}"] = ended / own.sum() if own.any() else np.nan
    table = table.iloc[order].set_index(pd.RangeIndex(1, len(tops) + 1, name="mode"))
    first = [int(np.flatnonzero(mode == m)[0]) for m in order]
    named = numbered.isel(chain=0, drop=True).isel(draw=first).rename({"draw": "mode"})
    named = named[list(fit.draws["posterior"].data_vars)].assign_coords(mode=table.index)
    spec = model.spec
    repeated = spec.labels_may_switch and not (can_be_renumbered(spec) or told_apart(spec))
    result = Modes(table, named, pareto_k, good_k(PROPOSALS * len(tops)), spec.ordered, repeated)
    if not repeated and (result.missed["mass"] > LEAST).any():
        warn(result.problems[0], ConvergenceWarning)
    return result


def _some_draws(fit: Fit, climbs: int) -> list[tuple[int, Variables]]:
    """Evenly spread draws of every chain, with its number."""
    draws = thinned(fit, None)
    places = np.linspace(0, draws.sizes["draw"] - 1, climbs).astype(np.int64)
    return [
        (chain, {str(n): v.values for n, v in draws.isel(chain=chain, draw=draw).items()})
        for chain in range(draws.sizes["chain"])
        for draw in np.unique(places)
    ]


def _one_numbering(fit: Fit, ends: Sequence[Optimum]) -> xr.Dataset:
    """Where climbs ended, as draws of one chain, with one numbering of the components."""
    spec = fit.model.spec
    stacked = {
        name: np.stack([e.variables[name] for e in ends])[None] for name in ends[0].variables
    }
    lp = xr.Dataset({"lp": (("chain", "draw"), np.array([[e.lp for e in ends]]))})
    lp.attrs = fit.draws["sample_stats"].attrs
    along = {"chain": [1], "draw": np.arange(len(ends))}
    groups = {**labelled(spec, stacked), "sample_stats": lp}
    groups = {name: group.assign_coords(along) for name, group in groups.items()}
    there = replace(fit, draws=xr.DataTree.from_dict(groups))
    return thinned(there.relabel().fit if can_be_renumbered(spec) else there, None)


def _grouped(target: Target, ends: Array) -> tuple[Array, Integers]:
    """The tops of modes (mode, parameter), and the mode of each end."""
    tops: list[Array] = []
    heights: list[float] = []
    mode = np.empty(len(ends), dtype=np.int64)
    for place in np.argsort(-target.log_density(ends)):
        top = _polished(target, ends[place])
        height = float(target.log_density(top[None])[0])
        for m, (other, its) in enumerate(zip(tops, heights, strict=True)):
            way = top + BETWEEN[:, None] * (other - top)
            if target.log_density(way).min() > min(height, its) - FALL:
                mode[place] = m
                break
        else:
            mode[place] = len(tops)
            tops.append(top)
            heights.append(height)
    return np.array(tops), mode


def _polished(target: Target, end: Array) -> Array:
    """The mode near which a climb ended, by Newton steps while they lead uphill."""
    here, height = end, float(target.log_density(end[None])[0])
    for _ in range(POLISHING):
        there = here + covariance(target, here) @ target.gradient(here[None])[0]
        reached = float(target.log_density(there[None])[0])
        if not reached > height + 1e-9:
            break
        here, height = there, reached
    return here


def covariance(target: Target, top: Array) -> Array:
    """The inverse of the curvature of a log density at a mode; broad where it is flat.

    Parameters
    ----------
    target
        The density.
    top
        Where.
    """
    step = 1e-4 * np.maximum(np.abs(top), 1.0)
    shifts = np.diag(step)
    rise = target.gradient(top + shifts) - target.gradient(top - shifts)
    curvature = -rise / (2 * step[:, None])
    curvature = np.nan_to_num((curvature + curvature.T) / 2)
    values, vectors = np.linalg.eigh(curvature)
    # Unconstrained scales of 100 and more are flat.
    return np.asarray(vectors / np.maximum(values, 1e-4) @ vectors.T)


def _masses(target: Target, tops: Array, rng: np.random.Generator) -> tuple[Array, float]:
    """The mass of each mode as a share of all, and the Pareto k of the importance weights."""
    d, count = target.size, len(tops)
    centers = tops
    spreads = np.array([covariance(target, top) for top in tops])
    for last in [False] * ADAPTATIONS + [True]:
        about = [
            stats.multivariate_t(c, s, NU, allow_singular=True)
            for c, s in zip(centers, spreads, strict=True)
        ]
        points = np.concatenate([t.rvs(PROPOSALS, random_state=rng).reshape(-1, d) for t in about])
        each = np.stack([t.logpdf(points) for t in about], axis=1)
        log_ratios = target.log_density(points) - logsumexp(each, axis=1)
        log_weights, pareto_k = smoothed(np.maximum(log_ratios, log_ratios.max() - 700.0))
        weights = np.exp(log_weights)
        own = weights[:, None] * (each.argmax(axis=1)[:, None] == np.arange(count))
        masses = own.sum(axis=0) / own.sum()
        if last:
            break
        for m in range(count):
            if not own[:, m].any():
                continue
            share = own[:, m] / own[:, m].sum()
            # Too few points tell nothing of a spread.
            if 1 / np.sum(share**2) > 10 * d:
                centers = centers.copy()
                centers[m] = share @ points
                off = points - centers[m]
                spreads[m] = (NU - 2) / NU * (off.T * share) @ off
    return masses, pareto_k
