"""From a `ModelSpec` to a `StanProgram`.

Python says what is declared and which functions are called; the templates say how a program is laid
out; the mathematics stands in the Stan files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import jinja2

from stanmix.errors import DataError
from stanmix.priors import format_number
from stanmix.program import declare, limits
from stanmix.program.predictors import by_row, predictor
from stanmix.program.priors import prior_statements
from stanmix.program.program import StanProgram
from stanmix.program.resources import folder, needed_functions, split_functions
from stanmix.spec import Fixed, ModelSpec, Regression, Response, Term, Use


def render(spec: ModelSpec) -> StanProgram:
    """The Stan program of a model.

    K and all sizes are data, and the formula is a comment, so that models which differ in nothing
    else are one program.

    Examples
    --------
    >>> from stanmix import model
    >>> print(model("y ~ mix(poisson, K=2)", {"y": [0, 1, 7, 9]}).code.splitlines()[0])
    // y ~ mix(poisson, K=2)
    """
    template = _templates().get_template("program.stan.j2")
    variables = {
        "formula": spec.formula.splitlines(),
        "data": list(declare.data(spec)),
        "parameters": list(declare.parameters(spec)),
        "transformed": list(declare.transformed(spec)),
        "generated": list(declare.generated(spec)),
        "priors": prior_statements(spec),
        "emissions": [_emission(spec, k) for k in range(len(spec.emissions))],
        "common": list(_common(spec)),
        "homogeneous": spec.homogeneous,
        "predictors": list(declare.predictors(spec)),
        "latent": list(declare.latent(spec)),
        "emitted": [declare.only_if_emitted(v) for v in declare.latent(spec)],
        "likelihood": _likelihood(spec),
    }
    # Which functions a program needs is read off the program without them.
    wanted = [
        (signature, _varying(term))
        for component in spec.emissions
        for term in component
        for signature in _signatures(spec, term)
    ]
    codes = dict.fromkeys(t.declaration.stan_code for c in spec.emissions for t in c)
    own = split_functions("\n".join(codes))
    needed = needed_functions(wanted, template.render(functions=[], **variables), own)
    code = template.render(functions=[f.text for f in needed], **variables)
    return StanProgram(code, tuple(d.name for d in declare.parameters(spec)))


@cache
def _templates() -> jinja2.Environment:
    def load(name: str) -> str:
        return (folder("templates") / name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    environment.filters["one_line"] = _one_line
    return environment


def _one_line(text: str) -> str:
    """Text that cannot end a comment: names of levels may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@dataclass(frozen=True)
class Emission:
    """A component: what varies by row in it, and the calls whose values add up to its density."""

    by_row: list[declare.Declaration]
    calls: list[str]


def _emission(spec: ModelSpec, k: int) -> Emission:
    """The emission of component `k`, from 0."""
    state = "k" if spec.homogeneous else str(k + 1)
    by_row: list[declare.Declaration] = []
    calls: list[str] = []
    for term in spec.component(k):
        main = spec.response(term.responses[0])
        for argument in term.arguments:
            if isinstance(argument, Use) and argument.regression and argument.by_state:
                declared = _by_row(argument, spec, state)
                by_row += declared if declared[-1] not in by_row else []

        density = _density(spec, term, state)
        if main.many:
            # Where rows have no value, the family is given those that have one.
            rows = f"rows_{main.name}" if main.missing and not main.partial else ""
            call = density(_functions(main)[0], limits.in_rows(main.name, rows, many=True), rows)
            own = f"at_rows({call}, {rows}, N)" if rows else call
        else:
            varies = bool(_varying(term)) or len(term.responses) > 1
            own = limits.likelihood(main, density, varies=varies)
        calls.append(f"+ {own}" if calls else own)
    return Emission(by_row, calls)


def _density(spec: ModelSpec, term: Term, state: str) -> limits.Density:
    """What calls the functions of a term's family in a component."""

    def call(function: str, value: str, rows: str) -> str:
        given = [value, *_companions(spec, term, rows), *_given(spec, term, rows, state)]
        return f"{term.declaration.stan}_{function}({', '.join(given)})"

    return call


def _companions(spec: ModelSpec, term: Term, rows: str) -> Iterator[str]:
    """What follows the response in the arguments of a function of a family, in some rows."""
    main = spec.response(term.responses[0])
    if main.kind == "category":
        yield f"C_{main.name}"
    if main.partial:
        yield from (f"{part}_{main.name}" for part in ("seen", "arranged", "pattern_size"))
    for name in term.responses[1:]:
        yield limits.in_rows(name, rows)
        if spec.response(name).kind == "choice":
            yield "A"


def _given(spec: ModelSpec, term: Term, rows: str, state: str) -> Iterator[str]:
    """The parameters that a function of a family is given, in some rows where they vary."""
    for argument in term.arguments:
        if isinstance(argument, Use) and argument.regression:
            many = spec.regression(argument.regression).along is not None
            yield limits.in_rows(_by_row(argument, spec, state)[-1].name, rows, many=many)
        else:
            yield _argument(argument, spec, state)


def _functions(response: Response) -> tuple[str, ...]:
    """The functions of a family that may be called with this response."""
    if response.partial:
        return ("partial_log_omega",)
    return ("log_omega", *(("log_cumulative", "log_survival") if response.is_limited else ()))


def _signatures(spec: ModelSpec, term: Term) -> Iterator[str]:
    """The heads of the functions that a term may call."""
    for function in _functions(spec.response(term.responses[0])):
        yield term.declaration.signature(frozenset(spec.additions), function, _varying(term))


def _common(spec: ModelSpec) -> Iterator[declare.Declaration]:
    """What varies by row alike in all components that have it."""
    uses = {a for c in spec.emissions for term in c for a in term.arguments if isinstance(a, Use)}
    for use in sorted(uses, key=lambda use: use.regression):
        if use.regression and not use.by_state:
            yield from _by_row(use, spec, "")


def require_distinct_names(spec: ModelSpec) -> None:
    """Raise DataError if names that columns lead to meet in the program."""
    blocks = (declare.data, declare.parameters, declare.transformed, declare.generated)
    names = [d.name for block in blocks for d in block(spec)]
    names += [d.name for d in (*_common(spec), *declare.predictors(spec), *declare.latent(spec))]
    names += [d.name for k in range(len(spec.emissions)) for d in _emission(spec, k).by_row]
    names.append("log_omega")
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"Two parts of the program would be called `{name}`: rename the column that leads "
                "to it."
            )


def _likelihood(spec: ModelSpec) -> str:
    """The call that sums out the latent states."""
    log_omega = "log_omega"
    if spec.unit is not None:
        log_omega = f"repeat_rows({log_omega}, freq)" if spec.freq else log_omega
        log_omega = f"sum_units({log_omega}, unit_size)"
    if spec.known is not None:
        log_omega = f"keep_possible({log_omega}, possible)"
    if spec.kind == "mix":
        density = f"mixture_log_density({log_omega}, weights)"
        if spec.varies("weights"):
            density = f"mixture_of_experts_log_density({log_omega}, log_weights)"
        times = "freq .* " if spec.freq is not None and spec.unit is None else ""
        return f"sum_log_density({times}{density})"
    initial = {
        "uniform": "rep_vector(1.0 / K, K)",
        "first": "append_row(1, zeros_vector(K - 1))",
    }.get(str(spec.initial), "initial")
    if not declare.by_move(spec):
        return f"hmm_log_density({log_omega}, {initial}, transition, first)"
    initial = "log_initial" if spec.varies("initial") else f"log_start({initial})"
    varies = spec.varies("transition")
    moves = "log_move" if varies else "log_moves(transition, reach, binary)"
    count = declare.units(spec)
    move = f"linspaced_int_array({count}, 1, {count})" if varies else "move"
    function = "hmm_log_density_by_" + ("place" if spec.allowed is None else "move")
    return f"{function}({log_omega}, {initial}, {moves}, {move}, first)"


def _by_row(use: Use, spec: ModelSpec, state: str) -> list[declare.Declaration]:
    """A parameter that varies by row, as a variable of its own: the last, after what it needs."""
    regression = spec.regression(use.regression)
    value = _argument(use, spec, state) if use.parameter else ""
    at = f"[{state}]" if spec.axis_of(regression) else ""
    suffix = f"_{state}" if use.by_state and not spec.homogeneous else ""
    name = use.parameter or regression.name
    if regression.along is None:
        value = by_row(regression, value, predictor(regression, at))
        return [declare.Declaration("vector[N]", f"{name}_by_row{suffix}", value=value)]
    if regression.link == "softmax":
        return _log_probabilities_by_row(regression, spec, value, at, (name, suffix))
    count = declare.size_name(regression.along)
    value = by_row(regression, f"{value}[d]" if value else "", predictor(regression, f"{at}[d]"))
    own = declare.Declaration(
        f"matrix[{count}, N]",
        f"{name}_by_row{suffix}",
        value=f"({value})'",
        loops=declare.loops((regression.along,)),
    )
    return [own]


def _log_probabilities_by_row(
    regression: Regression, spec: ModelSpec, value: str, at: str, named: tuple[str, str]
) -> list[declare.Declaration]:
    """Logarithms of probabilities that vary, a vector for each, after the predictors of contrasts.

    Parameters
    ----------
    regression, spec
        The regression and its model.
    value, at
        The probabilities where all covariates have their means, and the index of the component.
    named
        What the variables are called, before and after what they are.
    """
    name, suffix = named
    contrasts = spec.axes_of(regression)[-1:]
    over = declare.loops(contrasts)
    predicted = predictor(regression, f"{at}{declare.at_element(over)}", at)
    free, count = f"{name}_predictor{suffix}", declare.size_name(str(regression.along))
    log_softmax = f"log_softmax_by_place({value}, {free}, N)"
    return [
        declare.Declaration(f"{declare.array_of(contrasts)}vector[N]", free, "", predicted, over),
        declare.Declaration(
            f"array[{count}] vector[N]", f"log_{name}_by_row{suffix}", value=log_softmax
        ),
    ]


def _varying(term: Term) -> frozenset[str]:
    """The parameters of a term that vary by row, as its family calls them."""
    return frozenset(
        param.name
        for param, argument in zip(term.declaration.params, term.arguments, strict=True)
        if isinstance(argument, Use) and argument.regression
    )


def _argument(argument: Fixed | Use, spec: ModelSpec, state: str) -> str:
    if isinstance(argument, Fixed):
        return argument.constant or format_number(argument.value)
    parameter = spec.parameter(argument.parameter)
    correlation = parameter.constraint == "correlation"
    name = declare.sampled_name(parameter) if correlation else parameter.name
    return f"{name}[{state}]" if argument.by_state else name
