"""Rows in which one covariate takes some values, and the others stay where they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from stanmix.data import Table, frequencies, numbers
from stanmix.errors import DataError, Problem, SpecError, did_you_mean, listing
from stanmix.levels import level
from stanmix.spec import ModelSpec, Regression

GRID = 50
"""Values of a covariate that holds numbers."""


@dataclass(frozen=True)
class Covariate:
    """A column that the response depends on: a covariate, or the number of trials.

    Parameters
    ----------
    column
        Its name.
    levels
        Its levels, if it has any.
    numeric
        Whether some term takes it for numbers, levels or not.
    trials
        Whether it counts trials.
    """

    column: str
    levels: tuple[str, ...]
    numeric: bool
    trials: bool

    def own(self, value: Any) -> Any:
        """One value, as the column holds it.

        Raises
        ------
        DataError
            It is none that the column can have.
        """
        if self.levels:
            if level(value) not in self.levels:
                raise DataError(
                    f"`{self.column}` has the levels {listing(self.levels)}, and not {value!r}."
                )
            return float(level(value)) if self.numeric else level(value)
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise DataError(f"`{self.column}` takes finite numbers, not {value!r}.")
        if self.trials and (value < 1 or value != math.floor(value)):
            raise DataError(f"`{self.column}` counts trials in whole numbers, not {value!r}.")
        return float(value)

    def given(self, values: Any) -> list[Any]:
        """Several values, as the column holds them.

        Raises
        ------
        DataError
            There are none, or some are none that the column can have.
        """
        array = np.atleast_1d(np.asarray(values, dtype=object))
        if array.ndim != 1 or not array.size:
            raise DataError(f"`values` must be a list of one or more values of `{self.column}`.")
        return [self.own(value) for value in array]

    def spread(self, table: Table) -> list[Any]:
        """All its levels, or numbers over the range of some data."""
        if self.levels:
            return [self.own(name) for name in self.levels]
        found = numbers(table, self.column, missing=self.trials)
        grid = np.linspace(np.nanmin(found), np.nanmax(found), GRID)
        return list(np.unique(grid.round() if self.trials else grid))

    def middle(self, table: Table, freq: str | None) -> Any:
        """Its first level, or the mean over the rows of some data."""
        if self.levels:
            return self.own(self.levels[0])
        found = numbers(table, self.column, missing=self.trials)
        times = np.ones(table.n_rows) if freq is None else frequencies(table, freq)
        seen = ~np.isnan(found)
        mean = float(np.average(found[seen], weights=times[seen]))
        return float(round(mean)) if self.trials else mean


def covariates(spec: ModelSpec) -> dict[str, Covariate]:
    """The columns that the response depends on where effects of groups are 0, by name."""
    spec = without_groups(spec)
    designs = [design for r in spec.regressions for design in r.designs]
    found = [c for design in designs for c in design.covariates]
    found += [r.bound.group for r in spec.regressions if r.bound is not None]
    counts = [c for r in spec.responses if r.addition == "trials" for c in r.columns]
    levels = {c.column: c.levels for c in found if c.levels}
    plain = {c.column for c in found if not c.levels}
    names = dict.fromkeys([*(c.column for c in found), *counts])
    return {
        name: Covariate(name, levels.get(name, ()), name in plain, name in counts) for name in names
    }


def without_groups(spec: ModelSpec) -> ModelSpec:
    """The model where all effects of groups are 0.

    A bound of each group is then the least of all, as in a group that has not been seen.
    """

    def alone(regression: Regression) -> Regression:
        designs = (regression.design, regression.offset)
        named = {c.column for design in designs if design for c in design.covariates}
        bound = regression.bound
        if bound is not None and bound.group.column not in named:
            bound = None
        return replace(regression, groups=(), bound=bound)

    return replace(spec, regressions=tuple(map(alone, spec.regressions)))


def held(spec: ModelSpec, table: Table, at: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Where covariates stay: numbers at their mean, levels at the first, others where `at` says.

    Parameters
    ----------
    spec, table
        The model, and its data.
    at
        Values by column.

    Raises
    ------
    SpecError
        `at` is no mapping, or names what is no covariate.
    DataError
        A value is none that the covariate can have.
    """
    given = {} if at is None else at
    if not isinstance(given, Mapping):
        raise SpecError(f"`at` maps covariates to values, as in {{'x': 3}}; it is no {at!r}.")
    known = covariates(spec)
    for name in given:
        require_covariate(spec, name)
    return {
        name: one.own(given[name]) if name in given else one.middle(table, spec.freq)
        for name, one in known.items()
    }


def rows_at(values: Mapping[str, Any], n_rows: int = 1) -> Table:
    """Rows with these values: one for all rows, or a list with one for each."""
    columns = {
        name: pd.Series(value if isinstance(value, list) else [value] * n_rows)
        for name, value in values.items()
    }
    return Table(columns, {}, n_rows, pd.RangeIndex(n_rows))


def require_covariate(spec: ModelSpec, name: Any) -> Covariate:
    """The covariate called `name`.

    Raises
    ------
    SpecError
        There is none.
    """
    known = covariates(spec)
    if isinstance(name, str) and name in known:
        return known[name]
    if name in spec.covariates:
        raise SpecError(f"`{name}` makes a difference between groups alone, whose effects are 0.")
    if not known:
        raise SpecError("The model has no covariates.")
    raise SpecError(
        Problem(
            f"The model has no covariate {name!r}; it has {listing(known)}.",
            hint=did_you_mean(str(name), known),
        )
    )
