"""Parameter lines as designs: what their terms are in the data, checked and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.data import Table
from stanmix.design import Encoding, encode
from stanmix.errors import DataError, Problem, Span, SpecError
from stanmix.language import tree
from stanmix.language.constants import Constants
from stanmix.language.options import Settings
from stanmix.language.pieces import plain_name
from stanmix.language.priors import parse_prior
from stanmix.language.terms import Terms, read_terms, unusable_name
from stanmix.levels import levels_of
from stanmix.priors import PriorEntry
from stanmix.spec import (
    Axis,
    Constant,
    Covariate,
    Design,
    GroupEffect,
    Parameter,
    Regression,
)

Array = NDArray[np.float64]

SLOPE = 2.5
"""Sd of the default prior of a slope: this many units of the link for one sd of its covariate."""


@dataclass(frozen=True)
class Line:
    """A parameter line with its terms read."""

    line: tree.ParameterLine
    terms: Terms

    @property
    def meaning(self) -> object:
        """What makes two lines alike."""
        return self.terms.design, self.terms.offset, self.terms.groups


@dataclass(frozen=True)
class Unit:
    """What a step of 1 on the scale of a link is: its size, where that comes from, and in words.

    The size is a number, or one for each column of a response.
    """

    value: Array
    needs: str
    words: str


PROBABILITIES = Unit(np.ones(()), "", "on the scale of log probabilities")
"""The unit of weights, first states, moves and probabilities of categories."""


@dataclass(frozen=True)
class Measured:
    """The columns of a design in the data of the model.

    Parameters
    ----------
    columns
        Their names, without the intercept.
    intercept
        Whether there is one.
    center, spread
        Means, or 0 without an intercept; and root mean squares about them.
    offset_center
        The mean of the offset, likewise.
    """

    columns: tuple[str, ...]
    intercept: bool
    center: tuple[float, ...]
    spread: tuple[float, ...]
    offset_center: float = 0.0


class Designs:
    """Reads lines against the data, each design once."""

    def __init__(self, table: Table, source: str, freq: NDArray[np.int64] | None = None) -> None:
        self.table = table
        self.source = source
        self.freq = freq
        self.made: dict[Design, tuple[Encoding, Array]] = {}
        self.short: dict[str, str] = {}

    def refuse(self, message: str, span: Span, hint: str | None = None) -> SpecError:
        """An error at a place of the formula."""
        return SpecError(Problem(message, self.source, span, hint))

    def placed(self, problem: Problem, span: Span) -> Problem:
        """A problem with a place: its own, or that of the terms."""
        if problem.span is not None:
            return problem
        return replace(problem, source=self.source, span=span)

    def read(self, line: tree.ParameterLine) -> Line:
        """A line with its terms.

        Raises
        ------
        SpecError, DataError
            As of `read_terms`.
        """
        return Line(line, read_terms(line.terms, self.table, self.source))

    def measured(self, line: Line, at: Settings = ()) -> Measured:
        """The columns of a line, centered where some covariates have given values.

        Raises
        ------
        SpecError
            The terms make no design, or some of them say nothing that others do not.
        DataError
            A covariate holds what it must not.
        """
        encoding, matrix = self.encoded(line.terms.design, line)
        offset = line.terms.offset
        nothing = not encoding.columns and offset is None and not line.terms.groups
        if nothing and not encoding.intercept:
            raise self.refuse("This leaves nothing to vary.", line.line.terms.span)
        self.require_full_rank(matrix, encoding, line)
        means = self.mean(encoding.matrix(self.table.with_values(dict(at))) if at else matrix)
        center = means if encoding.intercept else np.zeros(matrix.shape[1])
        offset_mean = self.mean(self.encoded(offset, line)[1])[0] if offset else 0.0
        return Measured(
            encoding.columns,
            encoding.intercept,
            tuple(map(float, center)),
            tuple(map(float, self.spread(matrix, about=center))),
            float(offset_mean) if encoding.intercept else 0.0,
        )

    def require_of_probabilities(self, line: Line, measured: Measured) -> None:
        """Refuse what has no meaning where probabilities that sum to 1 vary together."""
        name, span = line.line.parameter.text, line.line.terms.span
        if not measured.intercept:
            message = f"`{name}` needs its intercept: without, nothing says what is usual."
            raise self.refuse(message, span)
        if line.terms.offset is not None:
            message = f"An offset would be the same for all of `{name}`, and change nothing."
            raise self.refuse(message, span)

    def encoded(self, design: Design, line: Line) -> tuple[Encoding, Array]:
        """A design as encoded in the data, and its matrix."""
        if design not in self.made:
            try:
                encoding = encode(design, self.table)
                self.made[design] = encoding, encoding.matrix(self.table)
            except (SpecError, DataError) as error:
                span = line.line.terms.span
                raise type(error)(*(self.placed(p, span) for p in error.problems)) from None
        return self.made[design]

    def require_full_rank(self, matrix: Array, encoding: Encoding, line: Line) -> None:
        """Refuse terms that others determine: nothing in the data tells their coefficients apart.

        Refused too is what does not vary, which an intercept already says.
        """
        names = encoding.columns
        flat = matrix.std(axis=0) <= 1e-10 * np.abs(matrix).max(axis=0, initial=0.0)
        if flat.any():
            message = f"`{names[int(np.argmax(flat))]}` does not vary, so it explains nothing."
            raise self.refuse(message, line.line.terms.span)
        if encoding.intercept:
            matrix = matrix - matrix.mean(axis=0)
        _, triangle = np.linalg.qr(matrix / np.sqrt(np.square(matrix).sum(axis=0)))
        left = np.abs(np.diagonal(triangle)) <= 1e-8
        if left.any() or matrix.shape[0] < matrix.shape[1]:
            which = names[int(np.argmax(left))] if left.any() else names[-1]
            message = f"`{which}` is determined by the terms before it."
            raise self.refuse(message, line.line.terms.span, "leave it out")

    def mean(self, matrix: Array) -> Array:
        """Means of columns, of rows that may count several times."""
        counts = np.ones(len(matrix)) if self.freq is None else self.freq
        return np.asarray(counts @ matrix / counts.sum())

    def spread(self, matrix: Array, about: Array) -> Array:
        """Root mean square of columns about their centers: 0 without an intercept."""
        return np.asarray(np.sqrt(self.mean((matrix - about) ** 2)))

    def group_effects(self, name: str, line: Line) -> tuple[GroupEffect, ...]:
        """The group-level terms of a line, for a regression called `name`."""
        effects = []
        for term in line.terms.groups:
            column = term.by.text
            design = read_terms(term.terms, self.table, self.source).design
            encoding, matrix = self.encoded(design, line)
            self.require_full_rank(matrix, encoding, line)
            names = (*(("Intercept",) if encoding.intercept else ()), *encoding.columns)
            if not names:
                raise self.refuse("This leaves nothing to vary.", term.span)
            if absent := self.table.missing(column):
                problem = Problem(absent, self.source, term.by.span, self.table.hint(column))
                raise DataError(problem)
            short = self.short_name(column)
            if unusable := unusable_name(column):
                raise self.refuse(unusable, term.by.span)
            group = Covariate(short, column, levels_of(self.table, column))
            effects.append(GroupEffect(f"{short}_{name}", group, design, names, term.correlated))
        repeated = [e for e in effects if [o.name for o in effects].count(e.name) > 1]
        if repeated:
            column = repeated[0].group.column
            message = f"Groups `{column}` have two terms; one term may hold several coefficients."
            raise self.refuse(message, line.line.terms.span)
        return tuple(effects)

    def short_name(self, column: str) -> str:
        """A name for a column of groups in longer names, another one for each column."""
        if column not in self.short:
            plain, number = plain_name(column), 2
            while plain in self.short.values():
                plain, number = f"{plain_name(column)}_{number}", number + 1
            self.short[column] = plain
        return self.short[column]

    def coefficients(
        self, regression: Regression, axes: tuple[Axis, ...], unit: Unit, constants: Constants
    ) -> Iterator[Parameter]:
        """The slopes of a regression, and the spread of its groups, with their default priors.

        `axes` are those that stand before the terms.
        """
        name = regression.name
        if regression.columns:
            scale = _scale(
                regression.coefficients,
                SLOPE * unit.value,
                np.array(regression.spread),
                f"{SLOPE} {unit.words} over the sd of each term",
                f"slope_{name}",
            )
            yield _with_prior(
                Parameter(regression.coefficients, (*axes, f"slope_{name}"), ()),
                "normal(0, {})",
                constants.add(scale, unit.needs),
            )
        # Contrasts and moves of one group have a common spread: all components, or categories, are
        # alike.
        own = tuple(a for a in axes if a != "move" and not a.startswith("contrast"))
        for effect in regression.groups:
            yield from self.spreads(effect, own, unit, constants)

    def spreads(
        self, effect: GroupEffect, axes: tuple[Axis, ...], unit: Unit, constants: Constants
    ) -> Iterator[Parameter]:
        """Standard deviations and correlations of coefficients between groups."""
        _, matrix = self.made[effect.design]
        ones = np.ones(len(effect.columns) - matrix.shape[1])
        spread = np.append(ones, matrix.std(axis=0))
        along = f"effect_{effect.name}"
        scale = _scale(
            f"sd_{effect.name}",
            unit.value,
            spread,
            f"1 {unit.words} over the sd of each term",
            along,
        )
        yield _with_prior(
            Parameter(f"sd_{effect.name}", (*axes, along), (), lower=0),
            "student_t(3, 0, {})",
            constants.add(scale, unit.needs),
        )
        if effect.has_correlations:
            lkj = PriorEntry(parse_prior("lkj(2)"))
            matrix_axes = (*axes, along, f"{along}_to")
            yield Parameter(f"cor_{effect.name}", matrix_axes, (lkj,), "correlation")


def _scale(of: str, unit: Array, spread: Array, comment: str, axis: Axis) -> Constant:
    """The scale of each term: a unit over its spread, of each column where these have their own."""
    axes: tuple[Axis, ...] = (axis,) if unit.ndim == 0 else ("column", axis)
    return Constant(f"{of}_scale", _rounded(np.divide.outer(unit, spread)), comment, axes)


def _rounded(values: Any) -> Any:
    return tuple(map(_rounded, values)) if np.ndim(values) else float(f"{values:.3g}")


def _with_prior(parameter: Parameter, template: str, scale: Constant) -> Parameter:
    prior = parse_prior(template.format(scale.name), {scale.name: scale.value})
    return replace(parameter, priors=(PriorEntry(prior),), param=parameter.name)
