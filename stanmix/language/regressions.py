"""Lines of emission parameters: which of them vary by row, and with which covariates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from stanmix.errors import DataError, Problem, Span, SpecError, did_you_mean, listing
from stanmix.language import tree
from stanmix.language.constants import Constants
from stanmix.language.designs import PROBABILITIES, SLOPE, Designs, Line, Unit
from stanmix.language.options import Options, Settings
from stanmix.language.parameters import Emission
from stanmix.levels import codes_of, levels_of
from stanmix.spec import Covariate, Fixed, GroupBound, Parameter, Regression, Use


def read_regressions(
    lines: Sequence[tree.ParameterLine],
    emission: Emission,
    constants: Constants,
    designs: Designs,
    options: Options,
) -> Emission:
    """The emission parameters, of which those with lines vary by row.

    Raises
    ------
    SpecError
        A line is of no parameter, or of one that cannot vary, or its terms make no design.
    DataError
        The data lack a covariate, or it holds what it must not.
    """
    reader = _Reader(emission, constants, designs, options)
    failed: list[SpecError | DataError] = []
    problems: list[Problem] = []
    for line in lines:
        try:
            reader.read(line)
        except (SpecError, DataError) as error:
            failed.append(error)
            problems.extend(designs.placed(p, line.terms.span) for p in error.problems)
    if problems:
        raise type(failed[0])(*problems)
    reader.require_settings()
    return reader.emission_with_regressions()


class _Reader:
    """Collects the lines of every parameter and component."""

    def __init__(
        self, emission: Emission, constants: Constants, designs: Designs, options: Options
    ) -> None:
        self.emission = emission
        self.options = options
        self.constants = constants
        self.designs = designs
        self.refuse = designs.refuse
        self.general: dict[str, Line] = {}
        self.own: dict[tuple[str, int], Line] = {}

    def read(self, line: tree.ParameterLine) -> None:
        """Take in one line."""
        parameters, component = self.meant(line)
        for parameter in parameters:
            self.require_varies(parameter, line)
        read = self.designs.read(line)
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
        name, index, K = line.parameter.text, line.index, len(self.emission.pieces)
        if isinstance(index, tree.Number) and index.value > K:
            message = f"There is no component {index.value:g}; there are {K}."
            raise self.refuse(message, index.span)
        own = f"{name}_{int(index.value)}" if isinstance(index, tree.Number) else name
        matching = [p for p in self.emission.parameters if {name, own} & {p.name, p.param}]
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
        component = int(index.value)
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
        if self.emission.is_fixed(name):
            return self.refuse(f"`{name}` is fixed, so it cannot vary.", line.parameter.span)
        known = list(dict.fromkeys(p.param for p in self.emission.parameters))
        message = f"No family here has a parameter `{name}`; they have {listing(known) or 'none'}."
        return self.refuse(message, line.parameter.span, did_you_mean(name, known))

    def require_varies(self, parameter: Parameter, line: tree.ParameterLine) -> None:
        span = line.parameter.span
        if parameter.constraint == "correlation":
            raise self.refuse(f"`{parameter.name}` is a correlation matrix; it cannot vary.", span)
        param = next(self.emission.users(parameter))[1]
        if not param.varies:
            message = f"`{parameter.name}` is a vector in each component, and cannot vary by row."
            raise self.refuse(message, span)

    def emission_with_regressions(self) -> Emission:
        """The emission with what the lines say of it."""
        parameters: list[Parameter] = []
        regressions: list[Regression] = []
        uses: dict[tuple[int, int, str], Fixed | Use] = dict(self.emission.arguments)
        for parameter in self.emission.parameters:
            made = list(self.regressions(parameter))
            if not any(regression.parameter is None for regression in made):
                parameters.append(parameter)
            for regression in made:
                regressions.append(regression)
                by_state = "state" in parameter.axes
                axes = tuple(a for a in parameter.axes if a != "state")
                if regression.link == "softmax":
                    axes = tuple(f"contrast_{axis}" for axis in axes)
                if by_state and regression.component is None:
                    axes = ("state", *axes)
                unit = self.unit(regression, parameter)
                parameters += self.designs.coefficients(regression, axes, unit, self.constants)
                for key, use in self.emission.arguments.items():
                    of = isinstance(use, Use) and use.parameter == parameter.name
                    if of and regression.component in (None, key[0] + 1):
                        uses[key] = Use(regression.parameter or "", by_state, regression.name)
        return replace(
            self.emission,
            parameters=tuple(parameters),
            arguments=uses,
            regressions=tuple(regressions),
        )

    def regressions(self, parameter: Parameter) -> Iterator[Regression]:
        """The regressions of a parameter: one, or one for each component whose line differs."""
        general = self.general.get(parameter.name)
        components = self.emission.components(parameter)
        lines = {k: self.own.get((parameter.name, k), general) for k in components}
        meanings = {line.meaning if line else None for line in lines.values()}
        first = next((line for line in lines.values() if line), None)
        if first is None:
            return
        if len(meanings) == 1:
            yield from self.regression(parameter.name, parameter, first)
            return
        for k, line in lines.items():
            if line is not None:
                yield from self.regression(f"{parameter.name}_{k}", parameter, line, k)

    def regression(
        self, name: str, parameter: Parameter, line: Line, component: int | None = None
    ) -> Iterator[Regression]:
        """One regression; none where a line says no more than that there is an intercept."""
        measured = self.designs.measured(line, self.settings(parameter))
        groups = self.designs.group_effects(name, line)
        nothing = not measured.columns and line.terms.offset is None and not groups
        below, (_, param) = parameter.below, next(self.emission.users(parameter))
        fixed = param.default is not None
        if fixed and not measured.intercept:
            message = f"`{name}` is 0 where covariates are at their means, so it has no intercept "
            raise self.refuse(f"{message}to take out.", line.line.terms.span)
        if fixed and nothing:
            raise self.refuse("This leaves nothing to vary.", line.line.terms.span)
        if nothing:
            return
        if component is not None and not measured.intercept:
            message = "An intercept can be taken out for all components alike, not for some."
            raise self.refuse(message, line.line.terms.span)
        if parameter.constraint == "simplex":
            self.designs.require_of_probabilities(line, measured)
        yield Regression(
            name=name,
            parameter=parameter.name if measured.intercept and not fixed else None,
            # Where all rows need it below the same number, they do whatever their covariates are.
            link="softmax" if param.simplex else param.link if below is None else "logit",
            design=line.terms.design,
            columns=measured.columns,
            center=measured.center,
            spread=measured.spread,
            offset=line.terms.offset,
            offset_center=measured.offset_center,
            lower=param.lower,
            upper=param.upper if below is None else below,
            bound=None if below is None else self.bound(parameter, line),
            component=component,
            centered=measured.intercept,
            groups=groups,
            # The axis as it is called in the model: categories are those of a response.
            along=parameter.axes[-1] if param.axes else None,
        )

    def bound(self, parameter: Parameter, line: Line) -> GroupBound | None:
        """The bound by the data in each group, where the line tells rows apart by one column."""
        named = {c.column: c.levels for c in line.terms.design.covariates if c.levels}
        named |= {g.by.text: levels_of(self.designs.table, g.by.text) for g in line.terms.groups}
        if len(named) != 1:
            return None
        ((column, levels),) = named.items()
        response = self.constants.latest(self.emission.columns(parameter)[0])
        codes = codes_of(self.designs.table, column, levels)
        # In a group without responses nothing is known but the bound of all.
        values = np.full(len(levels), np.nanmin(response))
        for place in range(len(levels)):
            own = response[(codes == place) & ~np.isnan(response)]
            values[place] = own.min() if own.size else values[place]
        return GroupBound(Covariate("", column, levels), tuple(map(float, values)))

    def require_settings(self) -> None:
        """Refuse `order=mu(x=0)` where `mu` does not vary with `x`."""
        for name, settings in self.options.at:
            lines = [*self.general.items(), *((p, line) for (p, _), line in self.own.items())]
            of_name = [line for p, line in lines if name in (p, self.emission.parameter(p).param)]
            covariates = [c for line in of_name for c in line.terms.design.covariates]
            for column, _ in settings:
                numeric = [c.column for c in covariates if not c.levels]
                if column not in numeric:
                    message = (
                        f"`{name}` does not vary with numbers `{column}`, at which to order it."
                    )
                    span = self.options.order_span or Span(0, 0)
                    raise self.refuse(message, span)

    def settings(self, parameter: Parameter) -> Settings:
        """The covariates at which `order=` wants a parameter ordered; none for their means."""
        named = (parameter.name, parameter.param)
        return next((settings for name, settings in self.options.at if name in named), ())

    def unit(self, regression: Regression, parameter: Parameter) -> Unit:
        """What a step of 1 is on the scale of a regression.

        Where there is no link, the sd of the default prior of the parameter is 2.5 of them.
        """
        if parameter.constraint == "circular":
            return Unit(np.ones(()), "", "radians")
        if regression.link == "softmax":
            return PROBABILITIES
        if regression.link != "identity":
            return Unit(np.ones(()), "", f"on the {regression.link} scale")
        default = parameter.priors[0].prior
        if default.distribution != "normal":
            return Unit(np.ones(()), "", f"units of {parameter.name}")
        location, prior = default.arguments
        if regression.parameter is None:
            # Coefficients of levels are locations themselves, wherever these are.
            size = np.hypot(prior.value, location.value)
            needs = f"{location.text} {prior.text}"
            return Unit(size / SLOPE, needs, f"times the size of {parameter.name} / {SLOPE}")
        words = f"times the prior sd of {parameter.name} / {SLOPE}"
        return Unit(np.asarray(prior.value) / SLOPE, prior.text, words)
