"""Parameters of a model in every row, and responses drawn from its families, given states.

With numpy, for all rows of a component at once, by the references that families declare; so they
are the same draws in a simulation and in a prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from stanmix.data import Table
from stanmix.design import Encoding
from stanmix.errors import SpecError
from stanmix.levels import codes_of, level
from stanmix.limits import read_limits
from stanmix.links import bound_by_row, linked, unlinked, upper_bound
from stanmix.spec import Design, Fixed, ModelSpec, Regression, Response, Term, Use

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDS = 1000
"""Times in a row that none of the responses drawn again may be one that truncation lets one see."""


def matrices_of(encoded: Mapping[Design, Encoding], table: Table) -> dict[Design, Array]:
    """Every design with its intercept, in every row: (row, term)."""
    found = {}
    for design, encoding in encoded.items():
        values = encoding.matrix(table)
        found[design] = np.column_stack([np.ones((len(values), int(encoding.intercept))), values])
    return found


def draw_responses(
    spec: ModelSpec,
    table: Table,
    matrices: Mapping[Design, Array],
    parameters: Mapping[str, Array],
    states: Integers,
    rng: np.random.Generator,
    sets: Integers | None = None,
) -> dict[str, NDArray[Any]]:
    """A response for every row, given its state: by column, as the columns hold them.

    Parameters
    ----------
    spec, table
        The model, and rows with what is known of them besides responses.
    matrices
        What `matrices_of` returned.
    parameters
        Values by the names of the posterior, those that `stanmix.simulation.required` lists.
    states
        The state, from 0, of every row.
    rng
        What draws.
    sets
        The set of parameters of every row, where these are (set, *shape) and nothing varies.
    """
    found: dict[str, NDArray[Any]] = {}
    for k in range(spec.K):
        chosen = np.flatnonzero(states == k)
        if not chosen.size:
            continue
        emission = Emission(spec, table, matrices, parameters, k, chosen, sets)
        for term in spec.component(k):
            for name, drawn in emission.draw(term, rng).items():
                kind = np.float64 if drawn.dtype.kind in "iufb" else object
                found.setdefault(name, np.full(len(states), np.nan, dtype=kind))[chosen] = drawn
    return found


def predictor(
    regression: Regression,
    table: Table,
    matrices: Mapping[Design, Array],
    parameters: Mapping[str, Array],
    first: tuple[int, ...],
) -> Array:
    """What is linear in the covariates, in every row, at one component or move: (row)."""
    total = np.zeros(table.n_rows)
    if regression.columns:
        matrix = matrices[regression.design]
        if regression.parameter is None:
            matrix = matrix[:, -len(regression.columns) :] - np.array(regression.center)
        total += matrix @ parameters[regression.coefficients][first]
    if regression.offset is not None:
        total += matrices[regression.offset][:, 0]
        if not regression.columns or regression.parameter is None:
            total -= regression.offset_center
    for effect in regression.groups:
        codes = codes_of(table, effect.group.column, effect.group.levels)
        effects = parameters[f"r_{effect.name}"][first]
        total += (matrices[effect.design] * effects[codes]).sum(axis=1)
    return total


def probabilities(
    spec: ModelSpec,
    name: str,
    table: Table,
    matrices: Mapping[Design, Array],
    parameters: Mapping[str, Array],
) -> Array:
    """`weights`, `initial` or `transition` in every row: (row, state), or (row, state, state)."""
    shape = (spec.K,) * (2 if name == "transition" else 1)
    if not spec.varies(name):
        return np.broadcast_to(parameters[name], (table.n_rows, *shape))
    regression = spec.regression(name)
    logits = np.empty((table.n_rows, *shape))
    for place in np.ndindex(*shape):
        eta = predictor(regression, table, matrices, parameters, place)
        logits[(slice(None), *place)] = eta
    if not regression.columns:
        with np.errstate(divide="ignore"):
            logits = logits + np.log(parameters[name])
    if name == "transition":
        logits = np.where(np.array(spec.moves, dtype=bool), logits, -np.inf)
    return np.asarray(softmax(logits, axis=-1))


@dataclass(frozen=True, eq=False)
class Emission:
    """The emission of one component, in the rows that are in it.

    Parameters
    ----------
    spec, table, matrices, parameters
        As for `draw_responses`.
    component
        Which, from 0.
    chosen
        The rows.
    sets
        The set of parameters of each row of the table, where these are (set, *shape).
    """

    spec: ModelSpec
    table: Table
    matrices: Mapping[Design, Array]
    parameters: Mapping[str, Array]
    component: int
    chosen: Integers
    sets: Integers | None = None

    def draw(self, term: Term, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Responses of these rows, by column."""
        main = self.spec.response(term.responses[0])
        drawn = self.drawn(term, rng)
        if main.truncated is not None:
            drawn = self.seen(term, main, drawn, rng)
        others = map(self.spec.response, term.responses[1:])
        choice = next((r for r in others if r.kind == "choice"), None)
        if choice is not None:
            labels = self.labels(choice, drawn[:, 1])
            return {main.columns[0]: drawn[:, 0], choice.columns[0]: labels}
        if main.kind == "category":
            return {main.columns[0]: self.labels(main, drawn)}
        return dict(zip(main.columns, np.atleast_2d(drawn), strict=True))

    def drawn(self, term: Term, rng: np.random.Generator) -> NDArray[Any]:
        """Responses of these rows, as the family's reference lays them out."""
        reference = term.declaration.reference(**self.values(term))
        given = self.given(term)
        return np.asarray(reference.rvs(size=len(self.chosen), random_state=rng, **given))

    def values(self, term: Term) -> dict[str, Any]:
        """The parameters of the family by name, as its reference takes them."""
        return {
            param.name: self.value(argument)
            for param, argument in zip(term.declaration.params, term.arguments, strict=True)
        }

    def given(self, term: Term) -> dict[str, Any]:
        """What draws need of these rows besides: trials, and the number of choices."""
        given: dict[str, Any] = {}
        for response in map(self.spec.response, term.responses[1:]):
            if response.kind == "choice":
                given["A"] = len(response.labels)
            else:
                given[response.name] = self.trials(response.value, response.columns)
        return given

    def seen(
        self, term: Term, main: Response, drawn: NDArray[Any], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Draws with others in the place of those that would not be seen."""
        limits = read_limits(main, self.table)
        below, upper = limits.below[self.chosen], limits.upper[self.chosen]
        outside = np.flatnonzero((drawn <= below) | (drawn > upper))
        idle = 0
        while outside.size:
            drawn[outside] = replace(self, chosen=self.chosen[outside]).drawn(term, rng)
            still = (drawn[outside] <= below[outside]) | (drawn[outside] > upper[outside])
            idle = 0 if not still.all() else idle + 1
            outside = outside[still]
            if idle == ROUNDS:
                raise SpecError(
                    f"Component {self.component + 1} has next to no responses within the bounds "
                    "of `trunc(..)` at these parameters."
                )
        return drawn

    def labels(self, response: Response, codes: Integers) -> NDArray[Any]:
        """The names of choices or categories, as the column holds them."""
        kind = self.table.columns[response.columns[0]].dtype
        names: Sequence[Any] = response.labels
        if isinstance(kind, pd.CategoricalDtype):
            own = {level(name): name for name in kind.categories}
            names = [own[label] for label in response.labels]
        labels = np.array(names, dtype=object)[codes.astype(np.int64) - 1]
        return labels.astype(np.float64) if kind.kind in "iuf" else labels

    def trials(self, value: int | None, columns: tuple[str, ...]) -> Integers:
        """The numbers of trials of these rows."""
        if value is not None:
            return np.full(len(self.chosen), value)
        column = self.table.columns[columns[0]].fillna(0).to_numpy(dtype=np.int64)
        return np.asarray(column[self.chosen])

    def value(self, argument: Fixed | Use) -> Any:
        """A parameter of the family: a number, a vector, or a value for each of the rows."""
        if isinstance(argument, Fixed):
            return argument.value
        if not argument.regression:
            first = (self.component,) if argument.by_state else ()
            value = self.parameters[argument.parameter]
            if self.sets is not None:
                # As where a parameter varies: elements come before rows.
                return np.moveaxis(value[(slice(None), *first)][self.sets[self.chosen]], 0, -1)
            value = value[first]
            return float(value) if value.ndim == 0 else value
        regression = self.spec.regression(argument.regression)
        own = argument.by_state and regression.component is None
        first = (self.component,) if own else ()
        if regression.along is None:
            return self.by_row(argument, regression, first)
        elements = range(self.spec.sizes[regression.along])
        rows = [self.by_row(argument, regression, (*first, d)) for d in elements]
        return softmax(rows, axis=0) if regression.link == "softmax" else np.stack(rows)

    def by_row(self, argument: Use, regression: Regression, first: tuple[int, ...]) -> Array:
        """A parameter that varies, or an element of it, in each of the rows.

        Of probabilities, the unnormalised logarithm.
        """
        eta = predictor(regression, self.table, self.matrices, self.parameters, first)
        eta, upper = eta[self.chosen], upper_bound(regression, self.spec)
        if regression.parameter and not regression.columns:
            at_means = self.parameters[regression.parameter]
            at_means = at_means[self.component] if argument.by_state else at_means
            at_means = at_means[first[-1]] if regression.along else at_means
            eta = eta + linked(regression, at_means, upper)
        bound: float | Array = upper
        if regression.bound is not None:
            bound = bound_by_row(regression.bound, self.table)[self.chosen]
        return unlinked(regression, eta, bound)
