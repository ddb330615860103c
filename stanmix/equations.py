"""A model as mathematics in plain text, for papers and for checking what a formula meant."""

from __future__ import annotations

from collections.abc import Iterator

from stanmix.priors import format_number
from stanmix.spec import Fixed, GroupEffect, ModelSpec, Parameter, Regression, Response, Term, Use


def equations(spec: ModelSpec) -> str:
    """The model as lines of text: responses, what varies, states, priors.

    Rows are n, components or states k and j; `~` reads "is distributed as".
    """
    blocks = [
        list(_responses(spec)),
        list(_varying(spec)),
        list(_states(spec)),
        list(_priors(spec)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _place(spec: ModelSpec) -> str:
    """The index of what has a state."""
    return "n" if spec.unit is None else "u[n]"


def _responses(spec: ModelSpec) -> Iterator[str]:
    components = range(1) if spec.homogeneous else range(spec.K)
    for k in components:
        state = "k" if spec.homogeneous else str(k + 1)
        for term in spec.component(k):
            named = [_columns(spec, name) for name in term.responses]
            left = ", ".join(n for n in named[:1])
            given = [n for n in named[1:] if n]
            also = f", {', '.join(given)}" if given else ""
            yield (
                f"{left} | z[{_place(spec)}] = {state}{also}  ~  "
                f"{term.declaration.name}({', '.join(_arguments(spec, term, state))})"
                f"{_seen(left, spec.response(term.responses[0]))}"
            )
    for response in spec.responses:
        if response.censored is not None:
            limits = [f"{c}[n]" for c in (response.columns[0], response.censored.end) if c]
            yield f"{' and '.join(limits)} limit it as {response.censored.column}[n] says"


def _seen(left: str, response: Response) -> str:
    """Where a response is truncated."""
    seen = response.truncated
    if seen is None:
        return ""
    ends = (
        f"{left} {sign} {f'{end}[n]' if isinstance(end, str) else format_number(end)}"
        for sign, end in ((">=", seen.lower), ("<=", seen.upper))
        if end is not None
    )
    return f", seen where {' and '.join(ends)}"


def _columns(spec: ModelSpec, name: str) -> str:
    response = spec.response(name)
    if response.value is not None:
        return f"{name} = {response.value}"
    columns = [f"{c}[n]" for c in response.columns]
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def _arguments(spec: ModelSpec, term: Term, state: str) -> Iterator[str]:
    for param, argument in zip(term.declaration.params, term.arguments, strict=True):
        if isinstance(argument, Fixed):
            yield f"{param.name} = {format_number(argument.value)}"
            continue
        index = [state] if argument.by_state else []
        index = ["n", *index] if argument.regression else index
        name = argument.parameter or spec.regression(argument.regression).name
        yield f"{name}[{', '.join(index)}]" if index else name


def _varying(spec: ModelSpec) -> Iterator[str]:
    uses = [a for k in range(spec.K) for t in spec.component(k) for a in t.arguments]
    for regression in spec.emission_regressions:
        use = next(u for u in uses if isinstance(u, Use) and u.regression == regression.name)
        index = "k" if use.by_state and regression.component is None else ""
        index = str(regression.component) if regression.component is not None else index
        own = index if regression.component is None else ""
        name = regression.parameter or regression.name
        element = "" if regression.along is None else _element(regression)
        places = [i for i in (index, element) if i]
        left = f"{name}[{', '.join(['n', *places])}]"
        at_means = f"{name}[{', '.join(places)}]" if places else name
        terms = [_linked(regression, at_means)] if regression.parameter else []
        terms += _terms(regression, own, regression.centered)
        free = " + constant (slopes sum to 0 over c)" if regression.link == "softmax" else ""
        yield f"{_linked(regression, left, by_row=True)} = {' + '.join(terms)}{free}"
    for regression in spec.regressions:
        if not regression.is_latent:
            continue
        name = regression.name
        place = {"weights": _place(spec), "initial": "series", "transition": _place(spec)}[name]
        index = "j, k" if name == "transition" else "k"
        terms = [f"log {name}[{index}]", *_terms(regression, index, True)]
        reference = " (slopes of staying are 0)" if name == "transition" else ""
        zero = "" if name == "transition" else " (slopes sum to 0 over k)"
        yield f"log {name}[{place}, {index}] = {' + '.join(terms)} + constant{reference}{zero}"
    for effect in spec.group_effects:
        yield _group(spec, effect)


def _element(regression: Regression) -> str:
    """The index of an element of a vector."""
    return "c" if regression.link == "softmax" else "d"


def _linked(regression: Regression, text: str, *, by_row: bool = False) -> str:
    if regression.link == "identity":
        return text
    if regression.link == "softmax":
        return f"log {text}"
    low = format_number(regression.lower) if regression.lower else ""
    above = f"{text} - {low}" if low else text
    if regression.link == "log":
        return f"log({above})"
    high = regression.upper
    if high is None or high == 1.0:
        return f"logit({above})"
    if by_row and regression.bound is not None:
        high = f"{high}[{regression.bound.group.column}[n]]"
    high = high if isinstance(high, str) else format_number(high)
    return f"logit({f'({above})' if low else above} / {f'({high} - {low})' if low else high})"


def _terms(regression: Regression, index: str, centered: bool) -> list[str]:
    """What is added for covariates, offset and groups."""
    before = f"{index}, " if index else ""
    if regression.along is not None:
        before += f"{_element(regression)}, "
    terms = []
    moments = zip(regression.columns, regression.center, regression.spread, strict=True)
    for column, center, spread in moments:
        away = abs(center) > 1e-9 * spread
        covariate = f"({column}[n]{_less(center)})" if centered and away else f"{column}[n]"
        terms.append(f"{regression.coefficients}[{before}{column}] {covariate}")
    if regression.offset is not None:
        off = _less(regression.offset_center) if centered else ""
        terms.append(f"offset[n]{off}")
    for effect in regression.groups:
        for column in effect.columns:
            times = "" if column == "Intercept" else f" {column}[n]"
            terms.append(f"r_{effect.name}[{before}{effect.group.column}[n], {column}]{times}")
    return terms


def _less(number: float) -> str:
    """What takes a number off."""
    return f" - {number:.4g}" if number >= 0 else f" + {-number:.4g}"


def _group(spec: ModelSpec, effect: GroupEffect) -> str:
    spread = f"sd_{effect.name}"
    spread += f", cor_{effect.name}" if effect.has_correlations else ""
    return f"r_{effect.name}[.., g, .]  ~  normal(0, {spread})"


def _states(spec: ModelSpec) -> Iterator[str]:
    place = "n" if spec.unit is None else "u"
    if spec.kind == "mix":
        weights = f"weights[{place}]" if spec.varies("weights") else "weights"
        yield f"z[{place}]  ~  categorical({weights})"
        return
    initial = {
        "uniform": f"1 / {spec.K}, ..",
        "first": "1, 0, ..",
        "stationary": "stationary distribution of transition",
    }.get(str(spec.initial), "initial")
    moves = "transition[t, j]" if spec.varies("transition") else "transition[j]"
    yield f"z[1]  ~  categorical({initial})"
    yield f"z[t] | z[t - 1] = j  ~  categorical({moves})"
    if spec.allowed is not None:
        rows = "; ".join("".join(map(str, row)) for row in spec.allowed)
        yield f"with the moves {rows}"


def _priors(spec: ModelSpec) -> Iterator[str]:
    for parameter in spec.parameters:
        for entry in parameter.priors:
            labels = [spec.labels[axis] for axis in parameter.axes]
            named = zip(entry.index, labels, strict=False)
            index = [str(own[i - 1]) for i, own in named if i]
            name = parameter.name + (f"[{', '.join(index)}]" if index else "")
            region = _region(parameter, spec)
            if entry.increments:
                name, region = f"diff({parameter.name})", ", above 0"
            yield f"{name}  ~  {entry.prior}{region}"


def _region(parameter: Parameter, spec: ModelSpec) -> str:
    """Where a prior is truncated, and what is ordered."""
    bounds = []
    if parameter.lower is not None:
        bounds.append(f"above {parameter.lower:g}")
    if parameter.upper is not None:
        bounds.append(f"below {parameter.upper:g}")
    if parameter.below is not None:
        bounds.append(f"below {parameter.below}")
    if parameter.order is not None:
        element = ""
        if parameter.place is not None:
            element = f"{spec.labels[parameter.axes[-1]][parameter.place - 1]} "
        bounds.append(f"{element}increasing in {parameter.order}")
    return f", {', '.join(bounds)}" if bounds else ""
