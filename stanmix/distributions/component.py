"""What a row is distributed as in one component or state: families at given parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag

from stanmix.distributions.parameters import checked, family_of
from stanmix.distributions.part import WHOLE, Part
from stanmix.errors import DataError, SpecError, require_count
from stanmix.families import Family

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Component:
    """The distribution of a row in one component or state; `component` makes one.

    `a & b` is the distribution of the columns of both, which are independent given the component,
    as in a formula.

    Parameters
    ----------
    parts
        Families at given parameters, each with columns of its own.

    Examples
    --------
    >>> from stanmix.distributions import component
    >>> component("normal", mu=0, sigma=1) & component("poisson", rate=3)
    normal(mu=0, sigma=1) & poisson(rate=3)
    """

    parts: tuple[Part, ...]

    def __repr__(self) -> str:
        return " & ".join(map(repr, self.parts))

    def __and__(self, other: Component) -> Component:
        if not isinstance(other, Component):
            return NotImplemented
        return Component(self.parts + other.parts)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each column holds."""
        return tuple(kind for part in self.parts for kind in part.kinds)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one row: `()` of a number, else `(columns,)`."""
        alone = len(self.kinds) == 1 and not self.parts[0].many
        return () if alone else (len(self.kinds),)

    @property
    def whole(self) -> bool:
        """Whether all columns hold whole numbers."""
        return all(kind in WHOLE for kind in self.kinds)

    def log_density(self, rows: Array) -> Array:
        """Log density of each row (row, column)."""
        terms = [part.log_density(own) for part, own in self._split(rows)]
        return np.asarray(np.sum(terms, axis=0))

    def score(self, rows: Array) -> Array:
        """Derivative of the log density by each column: (row, column)."""
        return np.concatenate([part.score(own) for part, own in self._split(rows)], axis=1)

    def log_tail(self, values: Array, side: Literal["logcdf", "logsf"]) -> Array:
        """Log probability of what lies up to, or beyond, each of some values (row).

        Raises
        ------
        SpecError
            Rows are more than a number, or the family declares no distribution function.
        """
        self.require_cumulative()
        return self.parts[0].log_tail(values, side)

    def require_cumulative(self) -> None:
        """Refuse what has no distribution function."""
        if self.event_shape:
            raise SpecError("Distribution functions are of a number; take a `marginal(column)`.")
        if not self.parts[0].cumulative:
            raise SpecError(f"`{self}` has no distribution function.")

    def mean(self) -> Array:
        """Mean by column."""
        return np.concatenate([part.mean() for part in self.parts])

    def covariance(self) -> Array:
        """Covariance matrix by column."""
        return np.asarray(block_diag(*[part.covariance() for part in self.parts]))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Draw rows (row, column)."""
        return np.concatenate([part.draw(n, rng) for part in self.parts], axis=1)

    def marginal(self, columns: list[int], *, alone: bool) -> Component:
        """The distribution of some columns, in their order; of a number if `alone`."""
        parts, first = [], 0
        for part in self.parts:
            width = len(part.kinds)
            own = [column - first for column in columns if first <= column < first + width]
            if own:
                parts.append(part.marginal(own, alone=alone))
            first += width
        return Component(tuple(parts))

    def _split(self, rows: Array) -> list[tuple[Part, Array]]:
        """Each part with its columns.

        Raises
        ------
        DataError
            Rows are of other columns.
        """
        if np.ndim(rows) != 2 or rows.shape[1] != len(self.kinds):
            raise DataError(
                f"Rows of `{self}` have the shape (row, {len(self.kinds)}), not {np.shape(rows)}."
            )
        ends = np.cumsum([len(part.kinds) for part in self.parts])[:-1]
        return list(zip(self.parts, np.split(rows, ends, axis=1), strict=True))


def component(
    family: str | Family,
    *,
    trials: int | None = None,
    choices: int | None = None,
    **parameters: ArrayLike,
) -> Component:
    """A family at given parameters.

    Parameters
    ----------
    family
        Its name, as in formulas; or a declaration of one's own. `normal` and `student` are of
        several columns where `mu` is a list, with one `sigma` or one for each, and with `corr` if
        they are correlated.
    trials
        The number of trials of every row, where the family has trials.
    choices
        The number of choices, where there may be any: of `wald` and `uniform`. Rows are then a
        number and a choice, from 1; so they are of races, whose drifts say how many there are.
    **parameters
        The parameters, by the names that they have in a posterior.

    Returns
    -------
    Component
        The distribution of a row. Categories are codes from 1.

    Raises
    ------
    SpecError
        There is no such family, or its parameters are not what they must be.

    Examples
    --------
    >>> component("student", mu=0, sigma=1, nu=4)
    student(mu=0, sigma=1, nu=4)
    >>> component("normal", mu=[0, 1], sigma=[1, 2]).event_shape
    (2,)
    """
    declared = family_of(family, parameters)
    values = checked(declared, parameters)
    beside = {column.addition: column for column in declared.response if column.addition}
    for name, addition, given in (("trials", "trials", trials), ("choices", "dec", choices)):
        if given is not None and addition not in beside:
            raise SpecError(f"`{declared.name}` has no {name}.")
        if given is not None:
            require_count(name, given, 1)
    if "trials" in beside and trials is None:
        raise SpecError(f"`{declared.name}` needs `trials` too.")
    if "dec" in beside and not beside["dec"].optional:
        said = beside["dec"].choices or Part(declared, values).length("accumulator")
        if choices not in (None, said or choices):
            raise SpecError(f"`{declared.name}` has {said} choices here, not {choices}.")
        choices = said or choices
        if choices is None:
            raise SpecError(f"`{declared.name}` needs `choices` too.")
    return Component((Part(declared, values, trials, choices),))


def components(
    family: str | Family,
    *,
    trials: int | None = None,
    choices: int | None = None,
    **parameters: ArrayLike,
) -> tuple[Component, ...]:
    """The same family for every component, at parameters with a leading axis of components.

    Parameters
    ----------
    family, trials, choices
        As in `component`.
    **parameters
        Each with an entry for each component; a number where all have it in common.

    Returns
    -------
    tuple of Component
        As many as the parameters have entries.

    Raises
    ------
    SpecError
        As in `component`; or the parameters are for different numbers of components.

    Examples
    --------
    >>> components("normal", mu=[0, 4], sigma=1)
    (normal(mu=0, sigma=1), normal(mu=4, sigma=1))
    """
    arrays = {name: _array(name, value) for name, value in parameters.items()}
    lengths = {name: len(value) for name, value in arrays.items() if value.ndim}
    if not lengths:
        raise SpecError("Some parameter must be a list with an entry for each component.")
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{length} of `{name}`" for name, length in lengths.items())
        raise SpecError(f"Parameters are for different numbers of components: {shown}.")
    return tuple(
        component(
            family,
            trials=trials,
            choices=choices,
            **{name: value[k] if value.ndim else value for name, value in arrays.items()},
        )
        for k in range(next(iter(lengths.values())))
    )


def _array(name: str, given: Any) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"`{name}` must be an array of numbers.") from None
