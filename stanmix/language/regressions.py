"""Parameter lines: which parameters vary by row, and with which covariates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stanmix.data import Table
from stanmix.design import Encoding, encode
from stanmix.errors import DataError, Problem, Span, SpecError, did_you_mean, listing
from stanmix.language import tree
from stanmix.language.constants import Constants
from stanmix.language.parameters import Emission
from stanmix.language.priors import parse_prior
from stanmix.language.terms import Terms, read_terms
from stanmix.priors import PriorEntry
from stanmix.spec import Constant, Design, Fixed, Parameter, Regression, Use

Array = NDArray[np.float64]

SLOPE = 2.5
"""Sd of the default prior of a slope: this many units of the link for one sd of its covariate."""


def read_regressions(
    lines: Sequence[tree.ParameterLine],
    emission: Emission,
    constants: Constants,
    table: Table,
    source: str,
) -> Emission:
    """The emission parameters, of which those with lines vary by row.

    Raises
    ------
    SpecError
        A line is of no parameter, or of one that cannot vary, or its terms make no design.
    DataError
        The data lack a covariate, or it holds what it must not.
    """
    reader = _Reader(emission, constants, table, source)
    failed: list[SpecError | DataError] = []
    problems: list[Problem] = []
    for line in lines:
        try:
            reader.read(line)
        except (SpecError, DataError) as error:
            failed.append(error)
            problems.extend(reader.placed(p, line.terms.span) for p in error.problems)
    if problems:
        raise type(failed[0])(*problems)
    return reader.emission_with_regressions()


@dataclass(frozen=True)
class _Line:
    """A line with its terms read."""

    line: tree.ParameterLine
    terms: Terms

    @property
    def meaning(self) -> object:
        """What makes two lines alike."""
        return self.terms.design, self.terms.offset


class _Reader:
    """Collects the lines of every parameter and component."""

    def __init__(self, emission: Emission, constants: Constants, table: Table, source: str) -> None:
        self.emission = emission
        self.constants = constants
        self.table = table
        self.source = source
        self.general: dict[str, _Line] = {}
        self.own: dict[tuple[str, int], _Line] = {}
        self.made: dict[Design, tuple[Encoding, Array]] = {}

    def placed(self, problem: Problem, span: Span) -> Problem:
        """A problem with a place: its own, or that of the terms."""
        if problem.span is not None:
            return problem
        return replace(problem, source=self.source, span=span)

    def refuse(self, message: str, span: Span, hint: str | None = None) -> SpecError:
        return SpecError(Problem(message, self.source, span, hint))

    def read(self, line: tree.ParameterLine) -> None:
        """Take in one line."""
        parameters, component = self.meant(line)
        for parameter in parameters:
            self.require_varies(parameter, line)
        read = _Line(line, read_terms(line.terms, self.table, self.source))
        if read.terms.groups:
            message = "Group-level terms cannot be fitted yet."
            raise self.refuse(message, read.terms.groups[0].span)
        for parameter in parameters:
            again = f"`{parameter.name}` has two lines"
            if component is None and parameter.name in self.general:
                raise self.refuse(f"{again}.", line.parameter.span)
            if component is not None and (parameter.name, component) in self.own:
                raise self.refuse(f"{again} for component {component}.", line.parameter.span)
            if component is None:
                self.general[parameter.name] = read
            else:
                self.own[parameter.name, component] = read

    def meant(self, line: tree.ParameterLine) -> tuple[list[Parameter], int | None]:
        """The parameters that a line is of, and the component if it is of one alone."""
        name, index = line.parameter.text, line.index
        matching = [p for p in self.emission.parameters if name in (p.name, p.param)]
        if not matching:
            raise self.unknown(line)
        if isinstance(index, tree.Name):
            of_column = [p for p in matching if index.text in self.emission.columns(p)]
            if not of_column or any("column" in p.axes for p in of_column):
                message = f"`{name}` has no part `{index.text}` that could vary on its own."
                raise self.refuse(message, index.span)
            return of_column, None
        if index is None:
            return matching, None
        component, K = int(index.value), len(self.emission.pieces)
        if component > K:
            message = f"There is no component {component}; there are {K}."
            raise self.refuse(message, index.span)
        found = [p for p in matching if component in self.emission.components(p)]
        if not found:
            message = f"Component {component} has no free parameter `{name}`."
            raise self.refuse(message, index.span)
        for parameter in found:
            shared = "state" not in parameter.axes and len(self.emission.components(parameter)) > 1
            if shared:
                message = f"`{parameter.name}` is shared, so it cannot vary in one component."
                raise self.refuse(message, index.span)
        return found, component

    def unknown(self, line: tree.ParameterLine) -> SpecError:
        name = line.parameter.text
        if any(name in piece.fixed for pieces in self.emission.pieces for piece in pieces):
            return self.refuse(f"`{name}` is fixed, so it cannot vary.", line.parameter.span)
        known = list(dict.fromkeys(p.param for p in self.emission.parameters))
        if name in ("weights", "transition", "initial"):
            message = f"Covariates of `{name}` cannot be fitted yet."
            return self.refuse(message, line.parameter.span)
        message = f"No family here has a parameter `{name}`; they have {listing(known)}."
        return self.refuse(message, line.parameter.span, did_you_mean(name, known))

    def require_varies(self, parameter: Parameter, line: tree.ParameterLine) -> None:
        span = line.parameter.span
        if parameter.constraint == "correlation":
            raise self.refuse(f"`{parameter.name}` is a correlation matrix; it cannot vary.", span)
        if any(axis != "state" for axis in parameter.axes):
            message = f"`{parameter.name}` is a vector in each component, and cannot vary yet."
            raise self.refuse(message, span)

    def emission_with_regressions(self) -> Emission:
        """The emission with what the lines say of it."""
        parameters: list[Parameter] = []
        regressions: list[Regression] = []
        uses: dict[tuple[int, int, str], Fixed | Use] = dict(self.emission.arguments)
        for parameter in self.emission.parameters:
            made = list(self.regressions(parameter))
            if not any(regression.parameter is None for regression, _ in made):
                parameters.append(parameter)
            for regression, components in made:
                everywhere = "state" in parameter.axes and components is None
                regressions.append(regression)
                parameters.append(self.slopes(regression, parameter, by_state=everywhere))
                for key, use in self.emission.arguments.items():
                    of = isinstance(use, Use) and use.parameter == parameter.name
                    if of and (components is None or key[0] + 1 == components):
                        name = regression.parameter or ""
                        by_state = "state" in parameter.axes
                        uses[key] = Use(name, by_state, regression.name)
        return replace(
            self.emission,
            parameters=tuple(p for p in parameters if p is not None),
            arguments=uses,
            regressions=tuple(regressions),
        )

    def regressions(self, parameter: Parameter) -> Iterator[tuple[Regression, int | None]]:
        """The regressions of a parameter, each with the component it is of, None for all."""
        general = self.general.get(parameter.name)
        components = self.emission.components(parameter)
        lines = {k: self.own.get((parameter.name, k), general) for k in components}
        meanings = {line.meaning if line else None for line in lines.values()}
        first = next((line for line in lines.values() if line), None)
        if first is None:
            return
        if len(meanings) == 1:
            made = self.regression(parameter.name, parameter, first)
            if made is not None:
                yield made, None
            return
        for k, line in lines.items():
            if line is None:
                continue
            made = self.regression(f"{parameter.name}_{k}", parameter, line, k)
            if made is not None and made.parameter is None:
                message = "An intercept can be taken out for all components alike, not for some."
                raise self.refuse(message, line.line.terms.span)
            if made is not None:
                yield made, k

    def regression(
        self, name: str, parameter: Parameter, line: _Line, component: int | None = None
    ) -> Regression | None:
        """One regression; None where a line says no more than that there is an intercept."""
        encoding, matrix = self.encoded(line.terms.design, line)
        offset = line.terms.offset
        if not encoding.columns and offset is None:
            if encoding.intercept:
                return None
            raise self.refuse("This leaves nothing to vary.", line.line.terms.span)
        self.require_full_rank(matrix, encoding, line)
        added = self.encoded(offset, line)[1] if offset else np.zeros(1)
        _, param = next(self.emission.users(parameter))
        center = matrix.mean(axis=0) if encoding.intercept else np.zeros(matrix.shape[1])
        upper: float | str | None = param.upper
        link = param.link
        if parameter.below is not None:
            # All rows need it below the same number, whatever their covariates are.
            link, upper = "logit", parameter.below
        return Regression(
            name=name,
            parameter=parameter.name if encoding.intercept else None,
            link=link,
            design=line.terms.design,
            columns=encoding.columns,
            center=tuple(map(float, center)),
            spread=tuple(map(float, matrix.std(axis=0))),
            offset=offset,
            offset_center=float(added.mean()) if encoding.intercept else 0.0,
            lower=param.lower,
            upper=upper,
            component=component,
        )

    def encoded(self, design: Design, line: _Line) -> tuple[Encoding, Array]:
        """A design as encoded in the data, and its matrix."""
        if design not in self.made:
            try:
                encoding = encode(design, self.table)
                self.made[design] = encoding, encoding.matrix(self.table)
            except (SpecError, DataError) as error:
                span = line.line.terms.span
                raise type(error)(*(self.placed(p, span) for p in error.problems)) from None
        return self.made[design]

    def require_full_rank(self, matrix: Array, encoding: Encoding, line: _Line) -> None:
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

    def slopes(self, regression: Regression, parameter: Parameter, *, by_state: bool) -> Parameter:
        """The coefficients of a regression, with their default prior."""
        name = f"slope_{regression.name}"
        scale = self.slope_scale(regression, parameter)
        prior = parse_prior(f"normal(0, {scale.name})", {scale.name: scale.value})
        axes = (*(("state",) if by_state else ()), name)
        return Parameter(
            regression.coefficients,
            axes,
            (PriorEntry(prior),),
            param=f"beta_{parameter.param}",
        )

    def slope_scale(self, regression: Regression, parameter: Parameter) -> Constant:
        """The sd of the default prior of each slope.

        Where the link is none, a unit of it is the sd of the default prior of the parameter.
        """
        unit, of, needs = SLOPE, f"{SLOPE} on the {regression.link} scale", ""
        if regression.link == "identity":
            prior = parameter.priors[0].prior.arguments[1]
            unit, needs = float(np.max(prior.value)), prior.text
            of = f"prior sd of {parameter.name}"
        values = tuple(float(f"{unit / spread:.3g}") for spread in regression.spread)
        constant = Constant(
            f"{regression.coefficients}_scale",
            values,
            f"{of} over the sd of each term",
            axis=f"slope_{regression.name}",
        )
        return self.constants.add(constant, needs)
