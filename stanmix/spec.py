"""`ModelSpec`: what crosses from the language to the mathematics.

Frozen, typed, without formula text to interpret. It names parameters as the posterior does, and
says of each which axes it has, what constrains it, and what prior it has.
"""

from __future__ import annotations

import dataclasses
import itertools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from stanmix.families import FAMILIES, Column, Family, Kind, Param
from stanmix.priors import SHRINKING, Prior, PriorEntry, Value

Axis = str
"""`state`, `state_to`, `column`, `column_to`, `accumulator`, or the terms of a regression."""

MOST_PERMUTED = 7
"""Most states whose permutations are tried, to see whether restricted moves tell them apart."""

Constraint = Literal["none", "simplex", "correlation", "circular"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the model, as the program and the posterior name it.

    Parameters
    ----------
    name
        Its name.
    axes
        Its axes; none for a number.
    priors
        Its priors. An entry with a longer index wins over one with a shorter.
    constraint
        Whether its last axis is a simplex, its last two a correlation matrix, or each element an
        angle.
    lower, upper
        Its own bounds: a prior is truncated there and normalised.
    below
        Name of a constant it stays below. This restricts the region and normalises nothing.
    order
        The axis along which it increases, if any.
    place
        Of an order of vectors, the element (from 1) that increases.
    param
        The name its family gives it; its own name for `weights`, `transition`, `initial`.
    """

    name: str
    axes: tuple[Axis, ...]
    priors: tuple[PriorEntry, ...]
    constraint: Constraint = "none"
    lower: float | None = None
    upper: float | None = None
    below: str | None = None
    order: Axis | None = None
    place: int | None = None
    param: str = ""

    @property
    def shrinking(self) -> Prior | None:
        """The prior that shrinks all its elements together, if it has one: a horseshoe."""
        return next((e.prior for e in self.priors if e.prior.distribution in SHRINKING), None)

    @property
    def is_slope(self) -> bool:
        """Whether it holds the coefficients of a regression."""
        return bool(self.axes) and self.axes[-1].startswith("slope_")

    def entry_at(self, index: tuple[int, ...]) -> PriorEntry | None:
        """The entry that is the prior of the element `index` (from 1), if it has one."""
        increments = self.order is not None and any(e.increments for e in self.priors)
        if increments and index[self.axes.index(self.order)] > 1:
            return None
        applying = [e for e in self.priors if not e.increments and e.applies_to(index)]
        return max(applying, key=lambda e: e.precision) if applying else None

    def prior_at(self, index: tuple[int, ...]) -> Prior | None:
        """The prior of the element `index` (from 1); None if only its increments have one."""
        entry = self.entry_at(index)
        return None if entry is None else entry.prior


@dataclass(frozen=True)
class Constant:
    """A number, or one for each place of an axis or two, that the model takes from its data."""

    name: str
    value: Value
    comment: str
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Censoring:
    """The columns that say how a response is censored, and where intervals end."""

    column: str
    end: str | None = None


@dataclass(frozen=True)
class Truncation:
    """The bounds, both included, outside which no response is seen: numbers, columns, or none."""

    lower: float | str | None
    upper: float | str | None


@dataclass(frozen=True)
class Response:
    """A column of the response, or several that make a vector.

    Parameters
    ----------
    name
        Its name in the program.
    kind
        What values it may hold: see `stanmix.families.Column`.
    columns
        The user's columns; none where `value` stands for all rows.
    many
        Whether it is a vector of all its `columns`.
    value
        The same number in every row (`trials(20)`).
    labels
        The names of the choices or categories, in order of their codes.
    missing
        Whether some rows have no value, or of several columns not all.
    addition
        The addition that names it (`trials`, `dec`), and that others are looked at with.
    censored, truncated
        How it is censored and truncated, if it is.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    many: bool = False
    value: int | None = None
    labels: tuple[str, ...] = ()
    missing: bool = False
    addition: str = ""
    censored: Censoring | None = None
    truncated: Truncation | None = None

    @property
    def is_limited(self) -> bool:
        """Whether limits may be all that is known of it."""
        return self.censored is not None or self.truncated is not None

    @property
    def limits(self) -> tuple[str, ...]:
        """The columns that say how it is limited."""
        named: list[float | str | None] = []
        if self.censored is not None:
            named += [self.censored.column, self.censored.end]
        if self.truncated is not None:
            named += [self.truncated.lower, self.truncated.upper]
        return tuple(name for name in named if isinstance(name, str))

    @property
    def partial(self) -> bool:
        """Whether some rows may lack some of its columns and have others."""
        return self.missing and Column(self.kind, many=self.many).partial


@dataclass(frozen=True)
class Fixed:
    """A parameter held at a number, or at a constant of that value."""

    value: float
    constant: str = ""


@dataclass(frozen=True)
class Use:
    """A parameter of the model, or its element of the state at hand.

    With a `regression` it varies by row, and `parameter`, if there is one, is its value at the
    covariates' means.
    """

    parameter: str
    by_state: bool
    regression: str = ""


@dataclass(frozen=True)
class Covariate:
    """A column right of a `~`: its name in `Design.terms`, the user's, and levels if it has any."""

    alias: str
    column: str
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """Covariates and what is made of them, to be multiplied by coefficients.

    Parameters
    ----------
    terms
        What is made of them, as formulaic reads it, with the aliases of the covariates.
    covariates
        The columns it needs.
    """

    terms: str
    covariates: tuple[Covariate, ...]


@dataclass(frozen=True)
class GroupEffect:
    """Coefficients of a regression that differ between groups, normally about the common ones.

    Parameters
    ----------
    name
        What it is called in names: `g_mu` for the groups `g` in a regression of `mu`.
    group
        The column of groups, with those in the data of the model.
    design
        The covariates.
    columns
        Names of the coefficients, the intercept among them where it differs.
    correlated
        Whether the coefficients of a group are correlated.
    """

    name: str
    group: Covariate
    design: Design
    columns: tuple[str, ...]
    correlated: bool

    @property
    def group_name(self) -> str:
        """What the column of groups is called in the program."""
        return self.group.alias

    @property
    def has_correlations(self) -> bool:
        """Whether there is a correlation matrix."""
        return self.correlated and len(self.columns) > 1


@dataclass(frozen=True)
class GroupBound:
    """An upper bound that rows of each group have in common: their shortest response.

    Parameters
    ----------
    group
        The column of groups, with those in the data of the model.
    values
        The bound of each of them.
    """

    group: Covariate
    values: tuple[float, ...]


@dataclass(frozen=True)
class Regression:
    """How a parameter varies by row: its link is linear in covariates.

    Parameters
    ----------
    name
        What it is of, in the names of its parts: `mu`, or `mu_2` of the second component alone.
    parameter
        The parameter that is its value at the covariates' means; None without an intercept, or
        where that value is 0.
    link
        The scale on which it is linear. `softmax` is the scale of the logarithms of probabilities,
        of which there is one for each component, move or category.
    design
        The covariates.
    columns
        Names of the coefficients, without the intercept.
    center, spread
        What is taken off each column: its mean, or 0 without an intercept; and its root mean
        square about that.
    centered
        Whether the means are taken off.
    offset
        What is added as it is, if anything, and its mean.
    lower, upper
        Bounds of the parameter, the upper one a number or a constant, between which its link maps.
    bound
        What takes the place of the upper bound in the rows of each group.
    groups
        Coefficients that differ between groups.
    along
        The axis of the parameter within a component, each element of which varies; None for a
        number.
    place
        What has a value of the parameter each: a row, a unit (or a row that is its own), a series.
    component
        The one component, from 1, whose element of `parameter` varies so; None for all that have
        the parameter.
    """

    name: str
    parameter: str | None
    link: Literal["identity", "log", "logit", "softmax"]
    design: Design
    columns: tuple[str, ...]
    center: tuple[float, ...]
    spread: tuple[float, ...]
    offset: Design | None = None
    offset_center: float = 0.0
    lower: float | None = None
    upper: float | str | None = None
    bound: GroupBound | None = None
    component: int | None = None
    centered: bool = True
    groups: tuple[GroupEffect, ...] = ()
    along: Axis | None = None
    place: Literal["row", "unit", "series"] = "row"

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the coefficients on the user's scale."""
        return self.columns if self.parameter is None else ("Intercept", *self.columns)

    @property
    def is_latent(self) -> bool:
        """Whether it is of weights, first states or moves, and not of a family."""
        return self.place != "row"

    @property
    def is_offset_alone(self) -> bool:
        """Whether its one coefficient is the intercept, moved by an offset."""
        moved = self.offset is not None and self.parameter is not None
        return moved and not self.columns and self.along is None

    @property
    def coefficients(self) -> str:
        """The name of its coefficients in the posterior."""
        return f"beta_{self.name}"

    @property
    def designs(self) -> tuple[Design, ...]:
        """Its designs."""
        offset = () if self.offset is None else (self.offset,)
        return (self.design, *offset, *(effect.design for effect in self.groups))


@dataclass(frozen=True)
class Term:
    """A family with the responses and the arguments it takes."""

    declaration: Family
    responses: tuple[str, ...]
    arguments: tuple[Fixed | Use, ...]

    @property
    def family(self) -> str:
        """The key of the family."""
        return self.declaration.key


def reported(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes of the posterior for those of a parameter.

    Coefficients are sampled without what follows from the others, and reported with it: slopes
    with the intercept, contrasts as components or categories, moves as a matrix.
    """
    named = {"contrast": ("state",), "move": ("state", "state_to")}
    return tuple(
        name.removeprefix("contrast_").replace("slope_", "term_", 1)
        for axis in axes
        for name in named.get(axis, (axis,))
    )


def move_slopes(moves: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    """The place, from 1, of every allowed move among those that have coefficients; 0 for none.

    Staying has none, since other moves are compared with it; where it is not allowed, the first
    move that is.

    Examples
    --------
    >>> move_slopes(((1, 1, 0), (0, 0, 1), (1, 1, 1)))
    [[0, 1, 0], [0, 0, 0], [2, 3, 0]]
    """
    count = itertools.count(1)
    references = [i if row[i] else row.index(1) for i, row in enumerate(moves)]
    return [
        [next(count) if row[j] and j != references[i] else 0 for j in range(len(row))]
        for i, row in enumerate(moves)
    ]


@dataclass(frozen=True)
class ModelSpec:
    """A model: everything about it but the rows of data.

    Parameters
    ----------
    formula
        The formula in its canonical form, for the reader.
    kind
        Mixture or hidden Markov model.
    K
        Number of components or states.
    emissions
        For each component the terms whose log densities add up; a single entry where all
        components are alike and K is free.
    parameters
        All parameters: emission, then `weights`, or `initial` and `transition`.
    responses
        The response columns that the terms use.
    regressions
        The parameters that vary by row.
    constants
        Centres, scales and bounds taken from the data.
    initial
        How an HMM starts; None for a mixture.
    allowed
        Which moves an HMM allows, from rows to columns, 1 or 0; None for all.
    unit, series, time
        Columns that say which rows share a state, which belong to one sequence, and their order.
    known, freq
        Columns that say which states a row may have, and how often it counts.
    known_apart
        For each state a number, the same for those that `known` does not tell apart.
    gaps
        Whether some times between rows of a series have no row.
    additions
        Names of the additions of the model line, for families with optional columns.
    notes
        What the user should know of this model: sentences.
    """

    formula: str
    kind: Literal["mix", "hmm"]
    K: int
    emissions: tuple[tuple[Term, ...], ...]
    parameters: tuple[Parameter, ...]
    responses: tuple[Response, ...]
    regressions: tuple[Regression, ...] = ()
    constants: tuple[Constant, ...] = ()
    initial: Literal["free", "uniform", "stationary", "first"] | None = None
    allowed: tuple[tuple[int, ...], ...] | None = None
    unit: str | None = None
    series: str | None = None
    time: str | None = None
    known: str | None = None
    freq: str | None = None
    known_apart: tuple[int, ...] = ()
    gaps: bool = False
    additions: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def homogeneous(self) -> bool:
        """Whether all components are alike, so that K is data."""
        return len(self.emissions) == 1

    @property
    def ordered(self) -> tuple[str, ...]:
        """The parameters that order the components."""
        return tuple(p.name for p in self.parameters if p.order == "state")

    @property
    def labels_may_switch(self) -> bool:
        """Whether some components are alike and nothing orders them."""
        if self.ordered:
            return False
        alike = self.alike
        if self.allowed is None:
            return len(set(alike)) < self.K
        if self.initial == "first":
            # The way through the states tells them apart, whatever they are.
            return False
        moves = np.array(self.allowed)
        return self.K > MOST_PERMUTED or any(
            order != tuple(range(self.K))
            and (moves[np.ix_(order, order)] == moves).all()
            and tuple(alike[i] for i in order) == alike
            for order in itertools.permutations(range(self.K))
        )

    @property
    def alike(self) -> tuple[int, ...]:
        """For each component a number, the same for those that differ in no more than values."""
        known = self.known_apart or (0,) * self.K
        shapes = [(known[k], *map(self._shape, self.component(k))) for k in range(self.K)]
        return tuple(shapes.index(shape) for shape in shapes)

    def _shape(self, term: Term) -> tuple[object, ...]:
        """What makes components alike: a family, its responses, what is fixed, what varies."""
        fixed = tuple(a.value if isinstance(a, Fixed) else self._varies(a) for a in term.arguments)
        return term.family, term.responses, fixed

    def _varies(self, use: Use) -> object:
        if not use.regression:
            return None
        regression = self.regression(use.regression)
        effects = tuple((e.group, e.design, e.correlated) for e in regression.groups)
        return regression.design, regression.offset, effects

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every axis."""
        vectors = [r for r in self.responses if r.many]
        choices = [r for r in self.responses if r.kind == "choice"]
        sizes = {"state": self.K, "state_to": self.K}
        if vectors:
            sizes["column"] = sizes["column_to"] = len(vectors[0].columns)
        if choices:
            sizes["accumulator"] = len(choices[0].labels)
        for response in self.responses:
            if response.kind == "category":
                sizes[f"category_{response.name}"] = len(response.labels)
                sizes[f"cut_{response.name}"] = len(response.labels) - 1
                sizes[f"contrast_category_{response.name}"] = len(response.labels) - 1
        sizes["contrast"] = self.K - 1
        sizes["move"] = sum(map(sum, self.moves)) - self.K
        for regression in self.regressions:
            sizes[f"slope_{regression.name}"] = len(regression.columns)
            sizes[f"term_{regression.name}"] = len(regression.terms)
            for effect in regression.groups:
                sizes[f"effect_{effect.name}"] = len(effect.columns)
                sizes[f"effect_{effect.name}_to"] = len(effect.columns)
                sizes[f"group_{effect.group_name}"] = len(effect.group.levels)
        return sizes

    @property
    def arguments(self) -> Iterator[Fixed | Use]:
        """What the parameters of all families are."""
        return (a for component in self.emissions for term in component for a in term.arguments)

    @property
    def moves(self) -> tuple[tuple[int, ...], ...]:
        """Which moves there are, from rows to columns: 1 or 0."""
        return self.allowed or ((1,) * self.K,) * self.K

    def axis_of(self, regression: Regression) -> Axis | None:
        """What has a predictor of its own: components, contrasts or moves; None for one alone."""
        if regression.is_latent:
            return "move" if regression.name == "transition" else "contrast"
        if regression.component is not None:
            return None
        by_state = any(
            isinstance(a, Use) and a.regression == regression.name and a.by_state
            for a in self.arguments
        )
        return "state" if by_state else None

    def axes_of(self, regression: Regression) -> tuple[Axis, ...]:
        """The axes of what has a predictor of its own: of components, and elements of vectors.

        Probabilities have one for each but one, which make contrasts.
        """
        along = regression.along
        if along is not None and regression.link == "softmax":
            along = f"contrast_{along}"
        return tuple(axis for axis in (self.axis_of(regression), along) if axis is not None)

    def varies(self, name: str) -> bool:
        """Whether `weights`, `initial` or `transition` varies."""
        return any(r.name == name and r.is_latent for r in self.regressions)

    @property
    def labels(self) -> dict[str, list[Any]]:
        """Coordinates of every axis, in the user's words."""
        states = list(range(1, self.K + 1))
        labels: dict[str, list[Any]] = {"state": states, "state_to": states}
        for response in self.responses:
            if response.many:
                labels["column"] = labels["column_to"] = list(response.columns)
            if response.kind == "choice":
                labels["accumulator"] = list(response.labels)
            if response.kind == "category":
                labels[f"category_{response.name}"] = list(response.labels)
                pairs = itertools.pairwise(response.labels)
                labels[f"cut_{response.name}"] = [f"{low}|{high}" for low, high in pairs]
                labels[f"contrast_category_{response.name}"] = list(response.labels)
        for regression in self.regressions:
            labels[f"slope_{regression.name}"] = list(regression.columns)
            labels[f"term_{regression.name}"] = list(regression.terms)
            for effect in regression.groups:
                labels[f"effect_{effect.name}"] = list(effect.columns)
                labels[f"effect_{effect.name}_to"] = list(effect.columns)
                labels[f"group_{effect.group_name}"] = list(effect.group.levels)
        labels["contrast"] = states[1:]
        labels["move"] = [
            f"{i + 1}, {j + 1}"
            for i, row in enumerate(move_slopes(self.moves))
            for j, place in enumerate(row)
            if place
        ]
        return labels

    @property
    def covariates(self) -> tuple[str, ...]:
        """The user's columns that regressions need."""
        designs = [design for r in self.regressions for design in r.designs]
        columns = [c.column for design in designs for c in design.covariates]
        columns += [effect.group.column for effect in self.group_effects]
        return tuple(dict.fromkeys(columns))

    @property
    def response_columns(self) -> tuple[str, ...]:
        """The user's columns of responses."""
        return tuple(dict.fromkeys(c for response in self.responses for c in response.columns))

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The user's columns that the model needs besides those of responses."""
        limits = [column for response in self.responses for column in response.limits]
        named = (self.unit, self.series, self.time, self.known, self.freq)
        columns = (*(c for c in named if c is not None), *self.covariates, *limits)
        return tuple(dict.fromkeys(columns))

    @property
    def emission_regressions(self) -> tuple[Regression, ...]:
        """The regressions of parameters of families."""
        return tuple(r for r in self.regressions if not r.is_latent)

    @property
    def group_effects(self) -> tuple[GroupEffect, ...]:
        """The coefficients that differ between groups, of all regressions."""
        return tuple(effect for r in self.regressions for effect in r.groups)

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`; KeyError if there is none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def regression(self, name: str) -> Regression:
        """The regression called `name`; KeyError if there is none."""
        for regression in self.regressions:
            if regression.name == name:
                return regression
        raise KeyError(name)

    def regression_of(self, slopes: Parameter) -> Regression:
        """The regression whose coefficients `slopes` are; KeyError if there is none."""
        for regression in self.regressions:
            if regression.coefficients == slopes.name:
                return regression
        raise KeyError(slopes.name)

    def declared(self, parameter: Parameter) -> Param | None:
        """The declaration of `parameter` in the first family that uses it; None if none does."""
        for component in self.emissions:
            for term in component:
                for param, argument in zip(term.declaration.params, term.arguments, strict=True):
                    if isinstance(argument, Use) and argument.parameter == parameter.name:
                        return param
        return None

    def response(self, name: str) -> Response:
        """The response called `name` in the program; KeyError if there is none."""
        for response in self.responses:
            if response.name == name:
                return response
        raise KeyError(name)

    def component(self, k: int) -> tuple[Term, ...]:
        """The terms of component `k`, counted from 0."""
        return self.emissions[0 if self.homogeneous else k]


def to_json(spec: ModelSpec) -> dict[str, Any]:
    """`spec` as nested dictionaries, lists, numbers and text."""
    return typing.cast(dict[str, Any], _plain(spec))


def from_json(document: dict[str, Any], families: Mapping[str, Family] = FAMILIES) -> ModelSpec:
    """The specification that `to_json` wrote.

    Parameters
    ----------
    document
        What `to_json` returned.
    families
        All families there are, by their keys.

    Raises
    ------
    TypeError, KeyError
        The document is not one, or has a family that is not there.
    """
    return typing.cast(ModelSpec, _Reader(families).typed(document, ModelSpec))


def _plain(value: Any) -> Any:
    if isinstance(value, Family):
        return value.key
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


@dataclass(frozen=True)
class _Reader:
    """Reads values as annotated types: the reverse of `_plain`."""

    families: Mapping[str, Family]

    def typed(self, value: Any, wanted: Any) -> Any:
        """`value` as the annotated type `wanted`."""
        if wanted is Family:
            return self.families[value]
        if dataclasses.is_dataclass(wanted):
            hints = typing.get_type_hints(wanted)
            fields = {k: self.typed(v, hints[k]) for k, v in value.items()}
            return typing.cast(Any, wanted)(**fields)
        origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
        if origin is tuple and isinstance(value, list):
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return tuple(self.typed(v, arguments[0]) for v in value)
            return tuple(self.typed(v, a) for v, a in zip(value, arguments, strict=True))
        if origin in (types.UnionType, typing.Union):
            if isinstance(value, dict):
                classes = [a for a in arguments if dataclasses.is_dataclass(a)]
                fits = [c for c in classes if {f.name for f in dataclasses.fields(c)} == set(value)]
                return self.typed(value, fits[0])
            if isinstance(value, list):
                nested = bool(value) and isinstance(value[0], list)
                tuples = [a for a in arguments if typing.get_origin(a) is tuple]
                own = [a for a in tuples if (typing.get_origin(a.__args__[0]) is tuple) == nested]
                return self.typed(value, own[0])
        return value
