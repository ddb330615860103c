"""How the parts of a specification are declared in Stan: types, names, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stanmix.errors import DataError
from stanmix.families.family import STAN_COLUMN
from stanmix.priors import format_number
from stanmix.program.predictors import coefficients
from stanmix.spec import Axis, ModelSpec, Parameter, Regression, Response

_SIZES = {"state": "K", "state_to": "K", "column": "D", "column_to": "D", "accumulator": "A"}


@dataclass(frozen=True)
class Declaration:
    """A variable of a program: `type name; // comment`, or `type name = value;`."""

    type: str
    name: str
    comment: str = ""
    value: str = ""
    by_component: bool = False


def size_name(axis: Axis) -> str:
    """The name in a program of an axis's length."""
    return _SIZES.get(axis) or f"P_{axis.removeprefix('slope_')}"


def is_slope(parameter: Parameter) -> bool:
    """Whether it holds the coefficients of a regression."""
    return bool(parameter.axes) and parameter.axes[-1].startswith("slope_")


def is_placed(parameter: Parameter) -> bool:
    """Whether it is a vector for each component, of which one element increases."""
    return parameter.order == "state" and "column" in parameter.axes


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
    if is_slope(parameter):
        return parameter.axes[-1]
    if is_between(parameter):
        return f"{parameter.name}_logit"
    return f"{parameter.name}_above" if is_shifted(parameter) else parameter.name


def require_distinct_names(spec: ModelSpec) -> None:
    """Raise DataError if names that columns lead to meet in the program."""
    blocks = (data(spec), parameters(spec), transformed(spec), generated(spec))
    names = [d.name for block in blocks for d in block] + ["log_omega"]
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"Two parts of the program would be called `{name}`: rename the column that leads "
                "to it."
            )


def data(spec: ModelSpec) -> Iterator[Declaration]:
    """The data block."""
    whole = "int<lower=1>"
    yield Declaration(whole, "N", "observations")
    yield Declaration(whole, "K", "components" if spec.kind == "mix" else "states")
    for response in spec.responses:
        yield from _response(response)
    for regression in spec.regressions:
        yield from _regression(regression)
    for constant in spec.constants:
        kind = f"vector[{size_name(constant.axis)}]" if constant.axis else "real"
        yield Declaration(kind, constant.name, constant.comment)
    if spec.order_column is not None:
        comment = "the column whose locations increase"
        yield Declaration("int<lower=1, upper=D>", "order_column", comment)
    if spec.unit is not None:
        yield Declaration(whole, "U", "units, whose rows share a state")
        yield Declaration("array[U] int<lower=1>", "unit_size", "rows of each unit")
    if spec.kind == "hmm":
        length = "U" if spec.unit is not None else "N"
        kind = f"array[{length}] int<lower=0, upper=1>"
        yield Declaration(kind, "first", "1 where a series begins")
    yield Declaration("int<lower=0, upper=1>", "emit", "1 to return log_omega")


def _response(response: Response) -> Iterator[Declaration]:
    comment = ", ".join(response.columns) if response.columns != (response.name,) else ""
    if response.many:
        yield Declaration("int<lower=1>", "D", "columns of the response")
        yield Declaration("matrix[D, N]", response.name, comment)
        return
    if response.kind == "choice":
        yield Declaration("int<lower=1>", "A", "choices")
        yield Declaration("array[N] int<lower=1, upper=A>", response.name, comment)
    elif STAN_COLUMN[response.kind] == "vector":
        yield Declaration("vector[N]", response.name, comment)
    else:
        upper = ", upper=1" if response.kind == "binary" else ""
        yield Declaration(f"array[N] int<lower=0{upper}>", response.name, comment)


def _regression(regression: Regression) -> Iterator[Declaration]:
    name = regression.name
    if regression.columns:
        comment = f"terms of {name}: {', '.join(regression.columns)}"
        yield Declaration("int<lower=1>", f"P_{name}", comment)
        centered = "less their means" if regression.parameter else ""
        yield Declaration(f"matrix[N, P_{name}]", f"X_{name}", centered)
        if regression.parameter:
            yield Declaration(f"vector[P_{name}]", f"X_{name}_mean")
    if regression.offset:
        centered = "less its mean" if regression.parameter else ""
        yield Declaration("vector[N]", f"offset_{name}", centered)
        if regression.parameter:
            yield Declaration("real", f"offset_{name}_mean")


def parameters(spec: ModelSpec) -> Iterator[Declaration]:
    """The parameters block."""
    for parameter in spec.parameters:
        sizes = [size_name(axis) for axis in parameter.axes]
        if is_placed(parameter):
            positive = parameter.lower == 0
            order = f"{parameter.name}_order"
            yield Declaration("positive_ordered[K]" if positive else "ordered[K]", order)
            rest = f"array[K] vector{_bounds(parameter)}[D - 1]"
            yield Declaration(rest, f"{parameter.name}_rest")
            continue
        if parameter.constraint == "correlation":
            kind, sizes = "cholesky_factor_corr", sizes[:-1]
        elif parameter.constraint == "simplex":
            kind = "simplex"
        elif parameter.order is not None:
            positive = not is_between(parameter) and parameter.lower is not None
            kind = "positive_ordered" if positive else "ordered"
        else:
            kind = ("vector" if sizes else "real") + _bounds(parameter)
        yield Declaration(_sized(kind, sizes), sampled_name(parameter))


def transformed(spec: ModelSpec) -> Iterator[Declaration]:
    """The transformed parameters: what the posterior names, where something else is sampled."""
    for parameter in spec.parameters:
        name = parameter.name
        if is_placed(parameter):
            value = f"insert_ordered({name}_order, {name}_rest, order_column)"
            yield Declaration("array[K] vector[D]", name, value=value)
        elif is_between(parameter):
            bounds = f"{lower_bound(parameter)}, {upper_bound(parameter)}"
            value = f"ordered_between({name}_logit, {bounds})"
            yield Declaration("vector[K]", name, value=value)
        elif is_shifted(parameter):
            value = f"{lower_bound(parameter)} + {name}_above"
            yield Declaration("vector[K]", name, value=value)
    if spec.initial == "stationary":
        yield Declaration("vector[K]", "initial", value="stationary(transition)")


def generated(spec: ModelSpec) -> Iterator[Declaration]:
    """What the posterior names besides: correlation matrices, coefficients on the user's scale."""
    for parameter in spec.parameters:
        name, sampled = parameter.name, sampled_name(parameter)
        by_component = parameter.axes[:1] == ("state",)
        array, at = ("array[K] ", "[k]") if by_component else ("", "")
        if parameter.constraint == "correlation":
            value = f"multiply_lower_tri_self_transpose({sampled}{at})"
            yield Declaration(f"{array}matrix[D, D]", name, value=value, by_component=by_component)
        if is_slope(parameter):
            regression = spec.regression(name.removeprefix("beta_"))
            terms = f"P_{regression.name} + 1" if regression.parameter else f"P_{regression.name}"
            yield Declaration(
                f"{array}vector[{terms}]",
                name,
                value=coefficients(regression, by_component),
                by_component=by_component,
            )


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
