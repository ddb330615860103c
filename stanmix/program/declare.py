"""How the parts of a specification are declared in Stan: types, names, bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stanmix.families.family import STAN_COLUMN
from stanmix.priors import format_number
from stanmix.program import limits
from stanmix.program.predictors import coefficients, effect_scale, group_effects, predictor
from stanmix.spec import Axis, GroupEffect, ModelSpec, Parameter, Regression, Response, reported

_SIZES = {
    "state": "K",
    "state_to": "K",
    "column": "D",
    "column_to": "D",
    "accumulator": "A",
    "contrast": "K - 1",
    "move": "M",
}
_PREFIXES = {"slope_": "P_", "effect_": "Q_", "group_": "G_", "category_": "C_"}
_INDICES = {"column": "d", "accumulator": "d"}


@dataclass(frozen=True)
class Loop:
    """A loop of a program: its index, and a range such as `1:K`."""

    index: str
    range: str


def loops(axes: tuple[Axis, ...]) -> tuple[Loop, ...]:
    """Loops over the elements of axes, one in the other."""
    return tuple(Loop(index_name(axis), f"1:{bracketed(size_name(axis))}") for axis in axes)


def index_name(axis: Axis) -> str:
    """The name of an index along an axis."""
    return "c" if axis.startswith("contrast_") else _INDICES.get(axis, "k")


def bracketed(size: str) -> str:
    """A size as the end of a range."""
    return f"({size})" if " " in size else size


def at_element(over: tuple[Loop, ...]) -> str:
    """The index of an element within loops: `[k, d]`, or nothing."""
    return f"[{', '.join(loop.index for loop in over)}]" if over else ""


def array_of(axes: tuple[Axis, ...]) -> str:
    """The head of a type that is an array over axes: `array[K, D] `, or nothing."""
    return f"array[{', '.join(map(size_name, axes))}] " if axes else ""


@dataclass(frozen=True)
class Declaration:
    """A variable of a program: `type name; // comment`, or `type name = value;`.

    Within `loops`, each of its elements has the value.
    """

    type: str
    name: str
    comment: str = ""
    value: str = ""
    loops: tuple[Loop, ...] = ()


def size_name(axis: Axis) -> str:
    """The name in a program of an axis's length."""
    if axis in _SIZES:
        return _SIZES[axis]
    if axis.startswith("cut_"):
        return f"C_{axis.removeprefix('cut_')} - 1"
    if axis.startswith("contrast_"):
        return f"{size_name(axis.removeprefix('contrast_'))} - 1"
    prefix = next(p for p in _PREFIXES if axis.startswith(p))
    return _PREFIXES[prefix] + axis.removeprefix(prefix).removesuffix("_to")


def is_placed(parameter: Parameter) -> bool:
    """Whether it is a vector for each component, of which one element increases."""
    return parameter.place is not None


def order_name(parameter: Parameter) -> str:
    """What the place of the element that increases is called in the data."""
    return f"order_{parameter.axes[-1].removeprefix('slope_')}"


def is_shifted(parameter: Parameter) -> bool:
    """Whether it increases from a lower bound other than 0."""
    bounds = parameter.upper is None and parameter.below is None
    return parameter.order is not None and bounds and parameter.lower not in (None, 0)


def is_between(parameter: Parameter) -> bool:
    """Whether it increases between two bounds, so that it is sampled on the logit scale."""
    bounded = parameter.upper is not None or parameter.below is not None
    return parameter.order is not None and bounded


def lower_bound(parameter: Parameter) -> str:
    """Its lower bound as Stan text, `negative_infinity()` if it has none."""
    return "negative_infinity()" if parameter.lower is None else format_number(parameter.lower)


def upper_bound(parameter: Parameter) -> str:
    """Its upper bound as Stan text: its own, or the constant it stays below."""
    if parameter.upper is None:
        return parameter.below or "positive_infinity()"
    own = format_number(parameter.upper)
    return own if parameter.below is None else f"fmin({own}, {parameter.below})"


def sampled_name(parameter: Parameter) -> str:
    """The name under which a parameter is sampled, where that differs from its own."""
    if parameter.constraint == "correlation":
        return f"{parameter.name}_cholesky"
    if parameter.constraint == "circular":
        return f"{parameter.name}_direction"
    if parameter.is_slope:
        return parameter.axes[-1]
    if is_between(parameter):
        return f"{parameter.name}_logit"
    return f"{parameter.name}_above" if is_shifted(parameter) else parameter.name


def data(spec: ModelSpec) -> Iterator[Declaration]:
    """The data block."""
    whole = "int<lower=1>"
    yield Declaration(whole, "N", "observations")
    yield Declaration(whole, "K", "components" if spec.kind == "mix" else "states")
    for response in spec.responses:
        yield from _response(response)
    yield from _constants(spec, of_terms=False)
    if any(p.place is not None and p.axes[-1] == "column" for p in spec.parameters):
        comment = "the column whose locations increase"
        yield Declaration("int<lower=1, upper=D>", "order_column", comment)
    if spec.unit is not None:
        yield Declaration(whole, "U", "units, whose rows share a state")
        yield Declaration(f"array[U] {whole}", "unit_size", "rows of each unit")
    if spec.freq is not None:
        yield Declaration("vector<lower=0>[N]", "freq", f"{spec.freq}: how often a row counts")
    if spec.known is not None:
        kind = f"array[K, {units(spec)}] int<lower=0, upper=1>"
        yield Declaration(kind, "possible", f"{spec.known}: which states there may be")
    if spec.kind == "hmm":
        kind = f"array[{units(spec)}] int<lower=0, upper=1>"
        yield Declaration(kind, "first", "1 where a series begins")
    if by_move(spec):
        yield from _moves(spec)
    if spec.varies("initial"):
        yield Declaration(whole, "S", "series")
    for name in dict.fromkeys(effect.group_name for effect in spec.group_effects):
        yield Declaration(whole, f"G_{name}", f"groups of {name}")
    for regression in spec.regressions:
        yield from _regression(regression, spec)
    yield from _constants(spec, of_terms=True)
    yield Declaration("int<lower=0, upper=1>", "emit", "1 to return log_omega")


def _constants(spec: ModelSpec, *, of_terms: bool) -> Iterator[Declaration]:
    for constant in spec.constants:
        if of_terms == (constant.axes not in ((), ("column",))):
            *first, own = constant.axes or ("",)
            kind = f"{array_of(tuple(first))}vector[{size_name(own)}]" if own else "real"
            yield Declaration(kind, constant.name, constant.comment)


def units(spec: ModelSpec) -> str:
    """The number of what has a state."""
    return "U" if spec.unit is not None else "N"


def places(spec: ModelSpec, regression: Regression) -> str:
    """The number of what has a value of a parameter that varies."""
    return {"row": "N", "unit": units(spec), "series": "S"}[regression.place]


def by_move(spec: ModelSpec) -> bool:
    """Whether moves differ, in time or in which there are, so that each is looked at."""
    varies = spec.varies("transition") or spec.varies("initial")
    return varies or spec.gaps or spec.allowed is not None


def _moves(spec: ModelSpec) -> Iterator[Declaration]:
    varies = spec.varies("transition")
    if varies or spec.allowed is not None:
        kind = "array[K, K] int<lower=0, upper=1>"
        yield Declaration(kind, "allowed", "moves, from rows to columns")
    if varies:
        yield Declaration("int<lower=0>", "M", "moves that have coefficients")
        kind = "array[K, K] int<lower=0, upper=M>"
        yield Declaration(kind, "move_slope", "which of them a move is, 0 for none")
    else:
        yield Declaration("int<lower=1>", "G", "different numbers of steps")
        yield Declaration("int<lower=1>", "B", "binary digits of the largest")
        yield Declaration("array[G, B] int<lower=0, upper=1>", "binary", "the lowest digit first")
        yield Declaration("array[G, K, K] int<lower=0, upper=1>", "reach", "where they may lead")
        kind = f"array[{units(spec)}] int<lower=1, upper=G>"
        yield Declaration(kind, "move", "which number of steps leads there")


def _response(response: Response) -> Iterator[Declaration]:
    name = response.name
    comment = ", ".join(response.columns) if response.columns != (name,) else ""
    if response.many:
        yield Declaration("int<lower=1>", "D", "columns of the response")
        yield Declaration("matrix[D, N]", name, comment)
    elif response.kind == "choice":
        yield Declaration("int<lower=1>", "A", "choices")
        yield Declaration("array[N] int<lower=1, upper=A>", name, comment)
    elif response.kind == "category":
        yield Declaration("int<lower=2>", f"C_{name}", f"categories: {', '.join(response.labels)}")
        yield Declaration(f"array[N] int<lower=1, upper=C_{name}>", name, comment)
    elif STAN_COLUMN[response.kind] == "vector":
        yield Declaration("vector[N]", name, comment)
    else:
        upper = ", upper=1" if response.kind == "binary" else ""
        yield Declaration(f"array[N] int<lower=0{upper}>", name, comment)
    if response.partial:
        yield Declaration("int<lower=1>", f"patterns_{name}", "which columns a row may have")
        yield Declaration(f"array[patterns_{name}, D] int<lower=0, upper=1>", f"seen_{name}")
        kind = f"array[patterns_{name}] int<lower=1>"
        yield Declaration(kind, f"pattern_size_{name}", "rows that have them")
        yield Declaration("array[N] int<lower=1, upper=N>", f"arranged_{name}", "rows by pattern")
    elif response.missing:
        yield Declaration("int<lower=0>", f"N_{name}", f"rows that have {name}")
        yield Declaration(f"array[N_{name}] int<lower=1, upper=N>", f"rows_{name}")
    for declared in limits.declared(response):
        yield Declaration(*declared)


def _regression(regression: Regression, spec: ModelSpec) -> Iterator[Declaration]:
    name, count = regression.name, places(spec, regression)
    placed = [p for p in spec.parameters if p.name == regression.coefficients and is_placed(p)]
    if regression.columns:
        comment = f"terms of {name}: {', '.join(regression.columns)}"
        yield Declaration("int<lower=1>", f"P_{name}", comment)
        centered = "less their means" if regression.centered else ""
        yield Declaration(f"matrix[{count}, P_{name}]", f"X_{name}", centered)
        if regression.parameter:
            yield Declaration(f"vector[P_{name}]", f"X_{name}_mean")
        for slopes in placed:
            kind = f"int<lower=1, upper=P_{name}>"
            yield Declaration(kind, order_name(slopes), "the term whose slopes increase")
    if regression.offset:
        centered = "less its mean" if regression.centered else ""
        yield Declaration(f"vector[{count}]", f"offset_{name}", centered)
        if regression.parameter:
            yield Declaration("real", f"offset_{name}_mean")
    if regression.bound is not None:
        comment = f"the least response of each {regression.bound.group.column}"
        yield Declaration(f"vector[{count}]", f"bound_{name}", comment)
    for effect in regression.groups:
        own, group = effect.name, f"G_{effect.group_name}"
        comment = f"terms of {name} by {effect.group.column}: {', '.join(effect.columns)}"
        yield Declaration("int<lower=1>", f"Q_{own}", comment)
        yield Declaration(f"matrix[{count}, Q_{own}]", f"Z_{own}")
        kind = f"array[{count}] int<lower=1, upper={group}>"
        yield Declaration(kind, f"group_{own}")


def parameters(spec: ModelSpec) -> Iterator[Declaration]:
    """The parameters block."""
    for parameter in spec.parameters:
        sizes = [size_name(axis) for axis in parameter.axes]
        if is_placed(parameter):
            positive, name = parameter.lower == 0, sampled_name(parameter)
            yield Declaration("positive_ordered[K]" if positive else "ordered[K]", f"{name}_order")
            rest = f"array[K] vector{_bounds(parameter)}[{sizes[-1]} - 1]"
            yield Declaration(rest, f"{name}_rest")
            continue
        if parameter.shrinking is not None:
            name, scale = sampled_name(parameter), "vector<lower=0>"
            yield Declaration(_sized("vector", sizes), f"{name}_z", "slopes, standard normal")
            yield Declaration(_sized(scale, sizes), f"{name}_local")
            one = _sized(scale, sizes[:-1]) if sizes[1:] else "real<lower=0>"
            yield Declaration(one, f"{name}_global")
            yield Declaration(one, f"{name}_slab", "squared width")
            continue
        if is_restricted(parameter, spec):
            for k in range(1, spec.K + 1):
                yield Declaration(f"simplex[sum(allowed[{k}])]", f"{parameter.name}_from_{k}")
            continue
        if parameter.constraint == "correlation":
            kind, sizes = "cholesky_factor_corr", sizes[:-1]
        elif parameter.constraint == "simplex":
            kind = "simplex"
        elif parameter.constraint == "circular":
            kind, sizes = "vector", [*sizes, "2"]
        elif parameter.order is not None:
            positive = not is_between(parameter) and parameter.lower is not None
            kind = "positive_ordered" if positive else "ordered"
        else:
            kind = ("vector" if sizes else "real") + _bounds(parameter)
        yield Declaration(_sized(kind, sizes), sampled_name(parameter))
    for regression in spec.regressions:
        for effect in regression.groups:
            array = array_of(spec.axes_of(regression))
            kind = f"{array}matrix[Q_{effect.name}, G_{effect.group_name}]"
            yield Declaration(kind, f"z_{effect.name}", "effects of groups, standard normal")


def is_restricted(parameter: Parameter, spec: ModelSpec) -> bool:
    """Whether it holds transitions of which some are not allowed."""
    return parameter.name == "transition" and spec.allowed is not None


def effect_axes(spec: ModelSpec, regression: Regression, effect: GroupEffect) -> tuple[Axis, ...]:
    """The axes of the effects of groups in the posterior."""
    first = reported(spec.axes_of(regression))
    return (*first, f"group_{effect.group_name}", f"effect_{effect.name}")


def transformed(spec: ModelSpec) -> Iterator[Declaration]:
    """The transformed parameters: what the posterior names, where something else is sampled."""
    for parameter in spec.parameters:
        name = parameter.name
        if is_placed(parameter):
            own, size = sampled_name(parameter), size_name(parameter.axes[-1])
            value = f"insert_ordered({own}_order, {own}_rest, {order_name(parameter)})"
            yield Declaration(f"array[K] vector[{size}]", own, value=value)
        elif parameter.shrinking is not None:
            own, over = sampled_name(parameter), loops(parameter.axes[:-1])
            at = at_element(over)
            value = (
                f"{own}_z{at} .* horseshoe_width({own}_local{at}, {own}_global{at}, {own}_slab{at})"
            )
            kind = _sized("vector", [size_name(axis) for axis in parameter.axes])
            scale = parameter.shrinking.arguments[-1]
            depth = np.ndim(scale.value)
            row = at_element(over[-1:]) if depth > 1 else ""
            value = f"{scale.text}{row} {'.*' if depth else '*'} {value}"
            yield Declaration(kind, own, value=value, loops=over)
        elif is_between(parameter):
            bounds = f"{lower_bound(parameter)}, {upper_bound(parameter)}"
            value = f"ordered_between({name}_logit, {bounds})"
            yield Declaration("vector[K]", name, value=value)
        elif is_shifted(parameter):
            value = f"{lower_bound(parameter)} + {name}_above"
            yield Declaration("vector[K]", name, value=value)
        elif parameter.constraint == "circular":
            over = loops(parameter.axes)
            kind = "vector[K]" if over else "real"
            value = f"angle({name}_direction{at_element(over)})"
            yield Declaration(kind, name, value=value, loops=over)
        elif is_restricted(parameter, spec):
            rows = [f"spread_out({name}_from_{k}, allowed[{k}])" for k in range(1, spec.K + 1)]
            value = "{" + ", ".join(rows) + "}"
            yield Declaration("array[K] vector[K]", name, value=value)
    for regression in spec.regressions:
        if regression.link != "softmax":
            yield from (_effects(effect, regression, spec) for effect in regression.groups)
    if spec.initial == "stationary":
        yield Declaration("vector[K]", "initial", value="stationary(transition)")


def generated(spec: ModelSpec) -> Iterator[Declaration]:
    """What the posterior names besides: correlation matrices, coefficients on the user's scale."""
    for parameter in spec.parameters:
        if parameter.constraint == "correlation":
            size, first = size_name(parameter.axes[-1]), parameter.axes[:-2]
            over, kind = loops(first), f"{array_of(first)}matrix[{size}, {size}]"
            value = (
                f"multiply_lower_tri_self_transpose({sampled_name(parameter)}{at_element(over)})"
            )
            yield Declaration(kind, parameter.name, value=value, loops=over)
        if parameter.is_slope:
            yield _coefficients(spec.regression_of(parameter), spec)
    for regression in spec.regressions:
        if regression.is_offset_alone:
            yield _coefficients(regression, spec)
        if regression.link == "softmax":
            # What is sampled are contrasts.
            yield from (_effects(effect, regression, spec) for effect in regression.groups)


def _coefficients(regression: Regression, spec: ModelSpec) -> Declaration:
    """The coefficients of a regression, with the intercept."""
    name, by_state = regression.name, spec.axis_of(regression) == "state"
    terms = f"P_{name} + 1" if regression.parameter else f"P_{name}"
    terms = terms if regression.columns else "1"
    if not regression.is_latent:
        value = coefficients(regression, by_state)
        kind = f"{array_of(reported(spec.axes_of(regression)))}vector[{terms}]"
        over = loops(("state",)) if by_state else ()
        return Declaration(kind, f"beta_{name}", value=value, loops=over)
    if name == "transition":
        value = f"move_coefficients(transition[k], allowed[k], move_slope[k], X_{name}_mean, "
        value += f"slope_{name})"
        over = loops(("state",))
        return Declaration(f"array[K, K] vector[{terms}]", f"beta_{name}", value=value, loops=over)
    value = f"softmax_coefficients({name}, X_{name}_mean, slope_{name})"
    return Declaration(f"array[K] vector[{terms}]", f"beta_{name}", value=value)


def _effects(effect: GroupEffect, regression: Regression, spec: ModelSpec) -> Declaration:
    """The effects of groups, a row each."""
    own, kind = effect.name, f"matrix[G_{effect.group_name}, Q_{effect.name}]"
    if regression.link != "softmax":
        axes = spec.axes_of(regression)
        over = loops(axes)
        value = group_effects(effect, at_element(over), at_element(over))
        return Declaration(f"{array_of(axes)}{kind}", f"r_{own}", value=value, loops=over)
    if not regression.is_latent:
        over = loops(("state",)) if spec.axis_of(regression) else ()
        at = at_element(over)
        value = f"softmax_effects({effect_scale(effect, at)}, z_{own}{at}, G_{effect.group_name})"
        array = array_of(reported(spec.axes_of(regression)))
        return Declaration(f"{array}{kind}", f"r_{own}", value=value, loops=over)
    scaled = f"{effect_scale(effect)}, z_{own}"
    if regression.name == "transition":
        value = f"move_effects({scaled}, move_slope[k], G_{effect.group_name})"
        over = loops(("state",))
        return Declaration(f"array[K, K] {kind}", f"r_{own}", value=value, loops=over)
    return Declaration(
        f"array[K] {kind}", f"r_{own}", value=f"softmax_effects({scaled}, G_{effect.group_name})"
    )


def predictors(spec: ModelSpec) -> Iterator[Declaration]:
    """The predictors of latent probabilities that vary: of each free contrast, or move."""
    for regression in spec.regressions:
        if regression.is_latent:
            axes = spec.axes_of(regression)
            yield Declaration(
                f"{array_of(axes)}vector[{places(spec, regression)}]",
                f"{regression.name}_predictor",
                value=predictor(regression, "[k]"),
                loops=loops(axes),
            )


def latent(spec: ModelSpec) -> Iterator[Declaration]:
    """Log probabilities of components or moves that vary.

    Questions need them besides `log_omega`.
    """
    for regression in spec.regressions:
        if not regression.is_latent:
            continue
        name, count = regression.name, places(spec, regression)
        if name == "transition":
            value = "log_moves_by_place(transition, allowed, move_slope, transition_predictor, "
            yield Declaration(f"matrix[K * K, {count}]", "log_move", value=f"{value}{count})")
        else:
            value = f"log_softmax_by_place({name}, {name}_predictor, {count})"
            yield Declaration(f"array[K] vector[{count}]", f"log_{name}", value=value)


def only_if_emitted(variable: Declaration) -> Declaration:
    """The declaration of a variable that has elements where `emit` is 1, and none where it is 0."""
    sizes = re.compile(r"(?<=\[)[^\]]*(?=\])")
    kind = sizes.sub(
        lambda m: ", ".join(f"emit ? {size} : 0" for size in m[0].split(", ")), variable.type
    )
    return Declaration(kind, variable.name)


def _bounds(parameter: Parameter) -> str:
    bounds = []
    if parameter.lower is not None:
        bounds.append(f"lower={lower_bound(parameter)}")
    if parameter.upper is not None or parameter.below is not None:
        bounds.append(f"upper={upper_bound(parameter)}")
    return f"<{', '.join(bounds)}>" if bounds else ""


def _sized(kind: str, sizes: list[str]) -> str:
    """`kind` over `sizes`: the last is its own, those before make an array."""
    if not sizes:
        return kind
    array = f"array[{', '.join(sizes[:-1])}] " if len(sizes) > 1 else ""
    return f"{array}{kind}[{sizes[-1]}]"
