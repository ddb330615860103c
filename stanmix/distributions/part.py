"""One family at given parameters, for one column of the response or for several at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import SpecError
from stanmix.families import FAMILIES, Family, Kind

Array = NDArray[np.float64]

WHOLE = ("count", "binary", "category", "choice")
"""Kinds of columns that hold whole numbers."""

LARGEST = 2.0**53
"""The largest whole number that is told from the next one."""

FAR = 1e100
"""Size from which on a distance in units of a scale may overflow, of which references make NaN."""

NO_MOMENTS = {"angle": "angles", "category": "categories", "choice": "choices"}
"""Kinds of columns that have neither mean nor variance."""


@dataclass(frozen=True, eq=False)
class Part:
    """One family at given parameters. Its rows are (row, column).

    Parameters
    ----------
    family
        The family.
    parameters
        Its parameters, checked.
    trials, choices
        The number of trials of every row, and of choices, where there are any.
    """

    family: Family
    parameters: Mapping[str, Any]
    trials: int | None = None
    choices: int | None = None

    def __repr__(self) -> str:
        shown = {n: f"{v:.4g}" if np.ndim(v) == 0 else "..." for n, v in self.parameters.items()}
        shown |= {n: str(v) for n, v in (("trials", self.trials), ("choices", self.choices)) if v}
        return f"{self.family.name}({', '.join(f'{n}={v}' for n, v in shown.items())})"

    @cached_property
    def reference(self) -> Any:
        """The distribution, as the family declares it."""
        return self.family.reference(**self.parameters)

    @property
    def many(self) -> bool:
        """Whether it is for several columns at once, which its parameters have an axis for."""
        return self.family.response[0].many

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What each column holds."""
        kind = self.family.response[0].kind
        if self.many:
            return (kind,) * self.length("column")
        return (kind,) if self.choices is None else (kind, "choice")

    def length(self, axis: str) -> int:
        """The length of an axis of its parameters; 0 where none has it."""
        return next(
            (
                np.shape(self.parameters[p.name])[p.axes.index(axis)]
                for p in self.family.params
                if axis in p.axes
            ),
            0,
        )

    @property
    def cumulative(self) -> bool:
        """Whether it has a distribution function of numbers."""
        beside = {"dec": self.choices, "trials": self.trials}
        additions = frozenset(name for name, given in beside.items() if given is not None)
        return self.family.has_cumulative(additions) and self.kinds[0] not in NO_MOMENTS

    def log_density(self, rows: Array) -> Array:
        """Log density, or log probability, of each row; minus infinity outside the support."""
        known = self._possible(rows)
        rows = np.where(known[:, None], rows, self._usual())
        given = {} if self.choices is None else {"A": self.choices}
        density = getattr(self.reference, "logpdf", None) or self.reference.logpmf
        with np.errstate(all="ignore"):
            found = density(*self._columns(rows), **given)
        overflown = np.isnan(found) & (np.abs(rows) > FAR).any(axis=1)
        return np.where(known & ~overflown, found, -np.inf)

    def score(self, rows: Array) -> Array:
        """Derivative of the log density by each column; NaN outside the support.

        Raises
        ------
        SpecError
            There is none.
        """
        if self.kinds[-1] in WHOLE:
            raise SpecError(f"`{self.family.name}` has no density of numbers alone, and no score.")
        if self.family.score is None:
            raise SpecError(f"The family `{self.family.name}` declares no score.")
        known = self._possible(rows)
        (columns,) = self._columns(np.where(known[:, None], rows, self._usual()))
        with np.errstate(all="ignore"):
            found = np.reshape(self.family.score(columns, **self.parameters), rows.T.shape)
        return np.where(known[:, None], found.T, np.nan)

    def log_tail(self, values: Array, side: Literal["logcdf", "logsf"]) -> Array:
        """Log probability of what lies up to, or beyond, each of some values (row)."""
        whole = self.kinds[0] in WHOLE
        values = np.floor(np.clip(values, -1.0, LARGEST)) if whole else values
        given = [] if self.trials is None else [np.full(len(values), self.trials)]
        with np.errstate(all="ignore"):
            return np.asarray(np.minimum(getattr(self.reference, side)(values, *given), 0.0))

    def mean(self) -> Array:
        """Mean by column; infinite where an integral diverges."""
        mean = np.ravel(self._moment("mean"))
        return np.where(np.isnan(mean), np.inf, mean)

    def covariance(self) -> Array:
        """Covariance matrix by column; infinite on its diagonal where an integral diverges."""
        if self.many and hasattr(self.reference, "cov"):
            self._require_moment("var")
            with np.errstate(invalid="ignore"):
                return np.asarray(self.reference.cov())
        if self.many:
            raise SpecError(f"The family `{self.family.name}` declares no covariance.")
        variance = np.ravel(self._moment("var"))
        return np.diag(np.where(np.isnan(variance), np.inf, variance))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Draw rows."""
        given: dict[str, Any] = {} if self.choices is None else {"A": self.choices}
        if self.trials is not None:
            given = {"trials": np.full(n, self.trials)}
        drawn = np.asarray(self.reference.rvs(size=n, random_state=rng, **given), dtype=np.float64)
        return drawn.T if self.many else drawn.reshape(n, -1)

    def marginal(self, columns: list[int], *, alone: bool) -> Part:
        """The distribution of some of its columns; of a number instead of a row if `alone`.

        Raises
        ------
        SpecError
            It is none of the families.
        """
        if len(columns) == len(self.kinds) and not (alone and self.many):
            return self
        if not self.many and columns == [0] and self.family.response[-1].optional:
            return replace(self, choices=None)
        declared = FAMILIES.get(self.family.name)
        if not self.many or declared is None or self.kinds[0] == "simplex":
            raise SpecError(f"Some of the columns of `{self.family.name}` are of no known family.")
        taken = {
            p.name: _taken(self.parameters[p.name], columns) if p.axes else self.parameters[p.name]
            for p in self.family.params
        }
        if not alone:
            return replace(self, parameters=taken)
        numbers = {p.name: float(np.ravel(taken[p.name])[0]) for p in declared.params}
        return Part(declared, numbers)

    def _moment(self, moment: Literal["mean", "var"]) -> Array:
        self._require_moment(moment)
        given: dict[str, Any] = {} if self.choices is None else {"A": self.choices}
        given = given if self.trials is None else {"trials": self.trials}
        return np.asarray(getattr(self.reference, moment)(**given), dtype=np.float64)

    def _require_moment(self, moment: Literal["mean", "var"]) -> None:
        called = {"mean": "mean", "var": "variance"}[moment]
        for kind in self.kinds:
            if kind in NO_MOMENTS:
                raise SpecError(f"`{self}` holds {NO_MOMENTS[kind]}, which have no {called}.")
        if not hasattr(self.reference, moment):
            raise SpecError(f"The family `{self.family.name}` declares no {called}.")

    def _columns(self, rows: Array) -> list[NDArray[Any]]:
        """Rows as the functions of the reference take them."""
        if self.many:
            return [rows.T]
        first = rows[:, 0].astype(np.int64) if self.kinds[0] in WHOLE else rows[:, 0]
        if self.choices is not None:
            return [first, rows[:, 1].astype(np.int64)]
        return [first] if self.trials is None else [first, np.full(len(rows), self.trials)]

    def _possible(self, rows: Array) -> NDArray[np.bool_]:
        """The rows that hold what their columns may hold."""
        if self.kinds[0] == "simplex":
            return np.asarray((rows > 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= 1e-6))
        found = np.ones(len(rows), dtype=np.bool_)
        for kind, values in zip(self.kinds, rows.T, strict=True):
            if kind in WHOLE:
                categories = self.length("category") or self.length("cut") + 1
                most = {"binary": 1, "category": categories, "choice": self.choices or 0}
                least = 1 if kind in ("category", "choice") else 0
                found &= (values >= least) & (values <= most.get(kind, LARGEST))
                found &= values == np.floor(values)
            if kind in ("positive", "unit"):
                found &= values > 0
            if kind == "unit":
                found &= values < 1
        return found

    def _usual(self) -> Array:
        """A row that its columns may hold."""
        values = {"positive": 1.0, "unit": 0.5, "category": 1.0, "choice": 1.0}
        values["simplex"] = 1 / len(self.kinds)
        return np.array([values.get(kind, 0.0) for kind in self.kinds])


def _taken(value: Array, columns: list[int]) -> Array:
    """Some of the columns of a vector, or of a matrix both ways."""
    return value[np.ix_(*[columns] * value.ndim)]
