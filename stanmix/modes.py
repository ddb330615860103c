"""The modes of a posterior: how many there are, how much mass each has, which chains found them.

Chains that agree do not prove that there is no other mode. So points all over are climbed from, and
so are draws of every chain. What a mode has of the posterior is worked out by importance sampling;
what it has of a chain, by the same regions.
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

from stanmix.diagnostics import independent_draws
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Optimum, Variables
from stanmix.errors import (
    ConvergenceWarning,
    SamplingError,
    listing,
    require_count,
    warn,
)
from stanmix.inits import starting_points
from stanmix.labels import one_numbering
from stanmix.numberings import numberings_of
from stanmix.permutations import can_be_renumbered, told_apart
from stanmix.questions.asking import flat, seed_of, thinned
from stanmix.regions import regions
from stanmix.stacking import require_posterior
from stanmix.starts import Starts
from stanmix.storage import labelled
from stanmix.unconstrained import target_of, unconstrained_draws

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

ATTEMPTS = 4
"""Points tried for each from which to climb, some of which may have no density."""

STARTS = 40
"""Points all over that are climbed from."""

CLIMBS = 5
"""Draws of each chain that are climbed from."""

LEAST = 0.01
"""Mass of a mode beyond which one is warned that no chain has found it."""

FEWER = 3.0
"""A share of draws that is so many times smaller than the mass is too small."""

SURE = 0.001
"""The p-value from which it is not chance that few draws are in a mode."""


@dataclass(frozen=True, repr=False, eq=False)
class Modes:
    """The modes of a posterior.

    Parameters
    ----------
    table
        A row for each `mode`, from 1, by decreasing mass: `mass`, its approximate share of the
        posterior; `lp`, the log density at its top, on the scale on which the posterior is sampled;
        `climbs`, how many of those from points all over ended in it; and `chain 1`, ...: the share
        of the draws of that chain that are in it.
    missed
        The modes in which all chains have far fewer draws than their mass, by their numbers.
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
    missed: tuple[int, ...]
    parameters: xr.Dataset
    pareto_k: float
    good_k: float
    ordered: tuple[str, ...]
    repeated: bool

    @property
    def trusted(self) -> bool:
        """Whether masses are known, as far as the points by which they were worked out can tell."""
        return self.pareto_k <= self.good_k

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        if self.repeated:
            found.append(
                "Modes may be numberings of each other, so whether chains have missed any is not "
                "known; an order (`order=`) would tell."
            )
        elif self.missed and self.trusted:
            mass = self.table["mass"].loc[list(self.missed)].sum()
            found.append(
                f"No chain has found {self._named}, with about {mass:.0%} of the mass. More "
                "chains, or chains that start there (`inits=modes.inits(chains)`), would."
            )
            if self.ordered:
                found.append(
                    f"Where components cross, the order by {listing(self.ordered)} cuts a mode in "
                    "two: `order=none` with `relabel()`, or another order, leaves it whole."
                )
        elif self.missed:
            found.append(
                f"No chain has found {self._named}, of which importance sampling cannot tell how "
                "much mass there is: chains that start there (`inits=modes.inits(chains)`) may."
            )
        if not self.trusted and len(self.table) > 1:
            found.append(
                f"The masses are rough: Pareto k is {self.pareto_k:.2f}, above {self.good_k:.2f}."
            )
        return tuple(found)

    @property
    def _named(self) -> str:
        return f"mode{'s' * (len(self.missed) > 1)} {', '.join(map(str, self.missed))}"

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


def modes(
    fit: Fit, *, starts: int = STARTS, climbs: int = CLIMBS, seed: int | None = None
) -> Modes:
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
        Modes that no chain has found have more than 1 % of the mass, as far as is known.

    Notes
    -----
    Tops and masses are on the scale on which the posterior is sampled, with its Jacobian. About
    each mode is a Student distribution, adapted to the posterior; mass and draws are a mode's where
    its own is the densest. A chain has missed a mode where its share of draws is less than a third
    of the mass, and that is not chance, by as many draws as it is worth in independent ones. Where
    nothing orders components, all numberings of up to five are looked at; of more, and of slopes,
    those of `relabel`, and then a mode in which two components are the same counts too much. In
    many dimensions, from some dozens on, masses are rough, and `pareto_k` says so. That nothing
    more is found is no proof that nothing more is there.

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
    from_draws = climbs * fit.draws["posterior"].sizes["chain"]
    rng = np.random.default_rng(seed_of(fit, seed))
    found = search([one_numbering(fit)], starts, from_draws, rng)
    table, (chains,), (worth,) = found.modes.table, found.shares, found.worth
    for chain, name in enumerate(fit.draws["posterior"].to_dataset()["chain"].values):
        table[f"chain {name}"] = chains[chain]
    missed = [
        int(mode)
        for mode, share, most in zip(
            table.index, chains.mean(axis=0), chains.max(axis=0), strict=True
        )
        if most < table["mass"][mode] / FEWER and is_rare(share, worth, table["mass"][mode])
    ]
    result = replace(found.modes, table=table, missed=tuple(missed))
    if result.missed and result.trusted and not result.repeated:
        warn(result.problems[0], ConvergenceWarning)
    return result


@dataclass(frozen=True, eq=False)
class Search:
    """Modes, and the draws that are in them.

    Parameters
    ----------
    modes
        The modes, without chains.
    shares
        For each fit the share of the draws of its chains that are in each mode: (chain, mode).
    worth
        How many independent draws each fit is worth, within its chains.
    """

    modes: Modes
    shares: tuple[Array, ...]
    worth: tuple[float, ...]


def search(fits: Sequence[Fit], starts: int, climbs: int, rng: np.random.Generator) -> Search:
    """Look for modes from points all over and from draws of fits of one model.

    Parameters
    ----------
    fits
        Their components have the same numbers, if anything orders them or not.
    starts
        As in `modes`.
    climbs
        From how many draws of each fit.
    rng
        What is drawn from.

    Raises
    ------
    SamplingError
        No climb came to an end.
    """
    model = fits[0].model
    spec = model.spec
    climb = Starts(find_engine("stanli"), model.program, spec, model.data, model.rows)
    points = starting_points(spec, model.data, model.rows, rng)
    tried = itertools.islice(points, ATTEMPTS * int(starts))
    possible = itertools.islice(filter(climb.is_possible, tried), int(starts))
    all_over = [end for start in possible if (end := climb.climb(start)) is not None]
    of_draws = [climb.climb(start) for fit in fits for start in _some_draws(fit, climbs)]
    ends = [*all_over, *(end for end in of_draws if end is not None)]
    if not ends:
        raise SamplingError("No climb to a mode came to an end; `diagnose()` may say why.")
    target = target_of(model)
    numbered = _numbered(fits[0], ends)
    found = regions(target, target.unconstrain(flat(numbered)), numberings_of(model), rng)
    table = pd.DataFrame({"mass": found.masses, "lp": found.lp})
    table["climbs"] = np.bincount(found.of_end[: len(all_over)], minlength=len(table))
    table.index = pd.RangeIndex(1, len(table) + 1, name="mode")
    first = [int(np.flatnonzero(found.of_end == m)[0]) for m in range(len(table))]
    tops = numbered.isel(chain=0, drop=True).isel(draw=first).rename({"draw": "mode"})
    draws = [unconstrained_draws(fit, target) for fit in fits]
    return Search(
        Modes(
            table=table,
            missed=(),
            parameters=tops[list(fits[0].draws["posterior"].data_vars)].assign_coords(
                mode=table.index
            ),
            pareto_k=found.pareto_k,
            good_k=found.good_k,
            ordered=spec.ordered,
            repeated=spec.labels_may_switch and not (can_be_renumbered(spec) or told_apart(spec)),
        ),
        tuple(found.shares(own) for own in draws),
        # Each chain in the mode in which it is.
        tuple(sum(independent_draws(chain[None]) for chain in own) for own in draws),
    )


def is_rare(share: float, worth: float, mass: float) -> bool:
    """Whether draws are far more rarely in a mode than its mass says, and that is not chance.

    Parameters
    ----------
    share
        The share of draws that are in it.
    worth
        How many independent draws they are worth.
    mass
        Its mass; modes of less than one percent are never said to be missed.
    """
    if mass < LEAST or share >= mass / FEWER:
        return False
    return bool(stats.binom.cdf(round(share * worth), round(worth), mass) < SURE)


def _some_draws(fit: Fit, climbs: int) -> list[Variables]:
    """Draws evenly spread over every chain, at least so many of all."""
    draws = thinned(fit, None)
    own = -(-climbs // draws.sizes["chain"])
    places = np.linspace(0, draws.sizes["draw"] - 1, own).astype(np.int64)
    return [
        {str(n): v.values for n, v in draws.isel(chain=chain, draw=draw).items()}
        for chain in range(draws.sizes["chain"])
        for draw in np.unique(places)
    ]


def _numbered(fit: Fit, ends: Sequence[Optimum]) -> xr.Dataset:
    """Where climbs ended, as draws of one chain, with the numbering of the draws of a fit."""
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
    return thinned(one_numbering(there, to=fit), None)
