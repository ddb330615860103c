"""Where chains start: near modes that lie uphill from rough points."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stanmix.engines.base import Engine, Optimum, Variables
from stanmix.errors import SamplingError
from stanmix.inits import between, starting_points
from stanmix.program.program import StanProgram
from stanmix.program.rows import Rows
from stanmix.spec import ModelSpec

ATTEMPTS = 20
"""Starting points tried for a chain before it is given up."""

CANDIDATES = 12
"""Starting points from which a chain looks for modes."""

TEMPER = 0.5
"""Power of its density with which a mode is taken: below 1, so that chains differ more."""

DISPERSION = 0.1
"""How far from its mode, on the way back to where the search began, a chain starts."""


@dataclass(frozen=True)
class Starts:
    """A search for starting points of one model on one engine."""

    engine: Engine
    program: StanProgram
    spec: ModelSpec
    data: Mapping[str, Any]
    rows: Rows

    def find(self, seed: int, chain: int) -> Variables:
        """A point of finite density for one chain.

        A rough split of the rows may put two components on one group, or components of different
        families in each other's places, and a chain that starts there stays in a mode of no
        weight. So several points are improved, and the chain starts near one of the modes they
        lead to: the higher its density, the more probably, but lesser modes are tried too.

        Raises
        ------
        SamplingError
            No such point was found.
        """
        rng = np.random.default_rng([seed, chain])
        tried = itertools.islice(starting_points(self.spec, self.data, self.rows, rng), ATTEMPTS)
        possible = filter(self.is_possible, tried)
        starts = list(itertools.islice(possible, 1 if self.spec.K == 1 else CANDIDATES))
        if not starts:
            raise SamplingError(
                f"Chain {chain + 1} found no starting point with a finite density in "
                f"{ATTEMPTS} attempts; {self._why_impossible(seed, chain)}"
            )
        return starts[0] if self.spec.K == 1 else self._near_a_mode(starts, rng)

    def _near_a_mode(self, starts: Sequence[Variables], rng: np.random.Generator) -> Variables:
        """A point near one of the modes that lie uphill from `starts`."""
        modes = [(start, self.climb(start)) for start in starts]
        found = [(start, mode) for start, mode in modes if mode is not None]
        if not found:
            return starts[0]
        heights = TEMPER * np.array([mode.lp for _, mode in found])
        chances = np.exp(heights - heights.max())
        start, mode = found[rng.choice(len(found), p=chances / chances.sum())]
        near = between(self.spec, mode.variables, start, DISPERSION)
        return near if self.is_possible(near) else start

    def climb(self, start: Variables) -> Optimum | None:
        """The mode uphill from a point; None where the way there fails."""
        try:
            return self.engine.optimize(self.program, self.data, start)
        except SamplingError:
            return None

    def is_possible(self, values: Variables) -> bool:
        """Whether a chain can start there: density and gradient are finite."""
        try:
            density, gradient = self.engine.log_density(self.program, self.data, values)
        except SamplingError:
            return False
        return bool(np.isfinite(density) and np.isfinite(gradient).all())

    def _why_impossible(self, seed: int, chain: int) -> str:
        """Which row no component can have, if that is why."""
        rng = np.random.default_rng([seed, chain])
        values = next(starting_points(self.spec, self.data, self.rows, rng))
        data = {**self.data, "emit": 1}
        point = {name: np.asarray(value)[None] for name, value in values.items()}
        log_omega = self.engine.generate(self.program, data, point, ["log_omega"])["log_omega"][0]
        impossible = np.flatnonzero((log_omega == -np.inf).all(axis=0))
        if not impossible.size:
            return "the priors and the data may exclude each other."
        row = int(self.rows.order[impossible].min())
        return (
            f"no component can have {len(impossible)} of the rows (first: row {row}), "
            "whatever its free parameters: see the parameters that are fixed."
        )
