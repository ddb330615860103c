"""Priors under which a component can shrink onto equal rows, so that the posterior is improper.

Let x be the parameter that shrinks: near an end of its range m equal rows have a density of x to
the power -m * gain, the locations that reach them fill a volume of x to the power gain, and the
prior has a power of its own. The posterior integrates to infinity when these add up to enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import listing
from stanmix.families import Collapse, Param
from stanmix.priors import Prior
from stanmix.program.standata import values_by_row
from stanmix.spec import Fixed, ModelSpec, Parameter, Term, Use

Array = NDArray[Any]


def collapse_warnings(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about the priors that leave the posterior improper, one a parameter.

    Parameters
    ----------
    spec, data
        The model and its data block.
    """
    warned: set[str] = set()
    for component in range(spec.K):
        for term in spec.component(component):
            for param, argument in zip(term.declaration.params, term.arguments, strict=True):
                if isinstance(argument, Fixed) or argument.parameter in ("", *warned):
                    continue
                use = _Shrinking(spec, data, component, term, param, argument)
                message = use.correlation() if param.correlation else use.collapse()
                if message:
                    warned.add(argument.parameter)
                    yield message


@dataclass(frozen=True)
class _Shrinking:
    """A parameter of a family in one component, and whether its prior holds it."""

    spec: ModelSpec
    data: Mapping[str, Any]
    component: int
    term: Term
    param: Param
    argument: Use

    def collapse(self) -> str | None:
        """What to say where the component can shrink onto equal rows."""
        fact = self.param.collapse
        if fact is None or self.common:
            return None
        for column, (values, columns) in enumerate(self.views()):
            prior = self.prior(column)
            rows, free = self.equal_rows(fact, values)
            gain = fact.gain * len(values)
            if prior is not None and _is_improper(fact, gain, rows, free, prior):
                return self.sentence(prior, rows, free, columns)
        return None

    def sentence(self, prior: Prior, rows: int, free: int, columns: tuple[str, ...]) -> str:
        """The warning."""
        name = self.argument.parameter
        equal = "are equal" if free == 1 else f"can be met exactly by {free} coefficients"
        if free == 0:
            equal = "lie exactly where the component is fixed"
        better = "inv_gamma(3, ..)"
        if self.param.collapse and self.param.collapse.at == "infinity":
            better = "gamma(2, ..), whose tail is light,"
        counted = "1 row" if rows == 1 else f"{rows} rows"
        equal = equal.replace("lie", "lies") if rows == 1 else equal
        return (
            f"{counted} of {listing(columns)} {equal}, and the prior of `{name}`, {prior}, does "
            "not keep a component from collapsing onto them: the posterior is improper. A prior "
            f"such as {better} on `{name}` prevents it."
        )

    def correlation(self) -> str | None:
        """What to say where the component can shrink onto a plane through its rows."""
        prior = self.prior(0)
        if prior is None or len(prior.arguments) > 1:
            return None
        eta = 1.0 if prior.distribution == "flat" else float(np.asarray(prior.arguments[0].value))
        y = self.observed
        columns = self.spec.response(self.term.responses[0]).columns
        name = self.argument.parameter
        cure = f"The default, lkj(2, 0.01), on `{name}` prevents it."
        if _is_collinear(y) and y.shape[1] >= len(y) + 2 * eta:
            return (
                f"{listing(columns)} are collinear, and the prior of `{name}`, {prior}, does not "
                f"keep a component from collapsing onto a plane: the posterior is improper. {cure}"
            )
        rows = _most_equal(self.runs(y))
        if not self.common and rows >= 1 + 2 * eta:
            return (
                f"{rows} rows of {listing(columns)} are equal, and the prior of `{name}`, {prior}, "
                f"does not keep a component from collapsing onto them: the posterior is improper. "
                f"{cure}"
            )
        return None

    @property
    def observed(self) -> Array:
        """The response, NaN where a row has no value."""
        return values_by_row(self.spec.response(self.term.responses[0]), self.data)

    @property
    def parameter(self) -> Parameter:
        return self.spec.parameter(self.argument.parameter)

    @property
    def common(self) -> bool:
        """Whether every component has it, so that none can shrink alone."""
        if "state" in self.parameter.axes:
            return self.spec.K == 1
        uses = [
            any(a == self.argument for term in self.spec.component(k) for a in term.arguments)
            for k in range(self.spec.K)
        ]
        return all(uses)

    def prior(self, column: int) -> Prior | None:
        """The prior of its element in this component."""
        state = (self.component + 1,) if "state" in self.parameter.axes else ()
        return self.parameter.prior_at((*state, column + 1) if self.param.axes else state)

    def views(self) -> Iterator[tuple[Array, tuple[str, ...]]]:
        """The columns that shrink together: all of a vector, or each with a scale of its own.

        The last of some shares follows from the others.
        """
        response = self.spec.response(self.term.responses[0])
        y, columns = self.observed, response.columns
        y = y[:-1] if response.kind == "simplex" else y
        if y.ndim == 1:
            yield y[None], columns
        elif self.param.axes:
            yield from ((row[None], (name,)) for row, name in zip(y, columns, strict=True))
        else:
            yield y, columns

    def equal_rows(self, fact: Collapse, values: Array) -> tuple[int, int]:
        """How many rows the location can meet exactly, and with how many free coefficients."""
        names = [p.name for p in self.term.declaration.params]
        location = self.term.arguments[names.index(fact.location)]
        if isinstance(location, Fixed):
            return _equal_to(self.runs(values), location.value), 0
        if location.regression:
            regression = self.spec.regression(location.regression)
            if regression.columns:
                design = np.asarray(self.data[f"X_{regression.name}"]).T
                together, counts = self.runs(np.vstack([design, values]))
                return _most_met(together[: len(design)], counts, together, len(regression.terms))
        elif self.spec.parameter(location.parameter).below is not None:
            return _equal_to(self.runs(values), np.nanmin(values)), 1
        return _most_equal(self.runs(values)), 1

    def runs(self, values: Array) -> tuple[Array, Array]:
        """Values that a component can have alone (column, unit), and in how many rows."""
        seen = ~np.isnan(values).any(axis=0)
        if "unit_size" not in self.data:
            return values[:, seen], np.ones(int(seen.sum()), np.int64)
        sizes = np.asarray(self.data["unit_size"])
        starts = np.cumsum(sizes) - sizes
        low = np.minimum.reduceat(np.where(seen, values, np.inf), starts, axis=1)
        high = np.maximum.reduceat(np.where(seen, values, -np.inf), starts, axis=1)
        constant = (low == high).all(axis=0)
        return low[:, constant], np.add.reduceat(seen.astype(np.int64), starts)[constant]


def _equal_to(runs: tuple[Array, Array], value: float) -> int:
    values, counts = runs
    return int(counts[(values == value).all(axis=0)].sum())


def _most_equal(runs: tuple[Array, Array]) -> int:
    values, counts = runs
    if not counts.size:
        return 0
    _, which = np.unique(values, axis=1, return_inverse=True)
    return int(np.bincount(np.ravel(which), weights=counts).max())


def _most_met(design: Array, counts: Array, rows: Array, free: int) -> tuple[int, int]:
    """The most rows that `free` coefficients can meet: ties at as many points of the covariates."""
    if not counts.size:
        return 0, free
    _, tie = np.unique(rows, axis=1, return_inverse=True)
    _, point = np.unique(design, axis=1, return_inverse=True)
    size = np.bincount(np.ravel(tie), weights=counts)[np.ravel(tie)]
    largest = np.zeros(int(np.max(point)) + 1)
    np.maximum.at(largest, np.ravel(point), size)
    return int(np.sort(largest)[-free:].sum()), free


def _is_collinear(y: Array) -> bool:
    """Whether some column (row of `y`) is a linear function of the others."""
    y = y[:, ~np.isnan(y).any(axis=0)]
    spread = y.std(axis=1, keepdims=True)
    z = (y - y.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    return bool(np.linalg.matrix_rank(z, tol=1e-8 * np.sqrt(y.shape[1])) < len(y))


def _is_improper(fact: Collapse, gain: float, rows: int, free: int, prior: Prior) -> bool:
    growth = gain * (rows - free)
    if fact.at == "zero":
        return growth - _power_at_zero(prior) >= 1
    return growth - _power_of_tail(prior) >= -1


def _argument(prior: Prior, place: int) -> float:
    return float(np.min(prior.arguments[place].value))


def _power_at_zero(prior: Prior) -> float:
    """The power of x with which the density of a prior falls to 0 at x = 0."""
    if prior.distribution in ("inv_gamma", "lognormal"):
        return math.inf
    if prior.distribution in ("gamma", "weibull", "beta"):
        return _argument(prior, 0) - 1
    if prior.distribution == "uniform":
        return math.inf if _argument(prior, 0) > 0 else 0.0
    return 0.0


def _power_of_tail(prior: Prior) -> float:
    """The power of 1 / x with which the density of a prior falls to 0 as x grows."""
    if prior.distribution in ("student_t", "inv_gamma"):
        return _argument(prior, 0) + 1
    return {"cauchy": 2.0, "flat": 0.0}.get(prior.distribution, math.inf)
