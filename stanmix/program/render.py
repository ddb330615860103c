"""From a `ModelSpec` to a `StanProgram`.

Python says what is declared and which functions are called; the templates say how a program is laid
out; the mathematics stands in the Stan files.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import jinja2

from stanmix.priors import format_number
from stanmix.program import declare
from stanmix.program.priors import prior_statements
from stanmix.program.program import StanProgram
from stanmix.program.resources import folder, needed_functions
from stanmix.spec import Fixed, ModelSpec, Use


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
    template = _templates().get_template(f"{_TEMPLATES[spec.kind]}.stan.j2")
    variables = {
        "formula": spec.formula.splitlines(),
        "data": list(declare.data(spec)),
        "parameters": list(declare.parameters(spec)),
        "transformed": list(declare.transformed(spec)),
        "correlations": list(declare.correlations(spec)),
        "priors": prior_statements(spec),
        "emissions": [list(_calls(spec, k)) for k in range(len(spec.emissions))],
        "homogeneous": spec.homogeneous,
        "units": spec.unit is not None,
        "initial": "rep_vector(1.0 / K, K)" if spec.initial == "uniform" else "initial",
    }
    # Which functions a program needs is read off the program without them.
    signatures = [
        term.declaration.signature(frozenset(spec.additions))
        for component in spec.emissions
        for term in component
    ]
    needed = needed_functions(signatures, template.render(functions=[], **variables))
    code = template.render(functions=[f.text for f in needed], **variables)
    return StanProgram(code, tuple(d.name for d in declare.parameters(spec)))


_TEMPLATES = {"mix": "mixture", "hmm": "hmm"}


@cache
def _templates() -> jinja2.Environment:
    def load(name: str) -> str:
        return (folder("templates") / name).read_text(encoding="utf-8")

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )


def _calls(spec: ModelSpec, k: int) -> Iterator[str]:
    """The calls whose values add up to the log density of the rows in component `k`, from 0."""
    state = "k" if spec.homogeneous else str(k + 1)
    for term in spec.component(k):
        arguments: list[str] = []
        for name in term.responses:
            arguments.append(name)
            if spec.response(name).kind == "choice":
                arguments.append("A")
        arguments += [_argument(a, spec, state) for a in term.arguments]
        yield f"{term.declaration.stan}_log_omega({', '.join(arguments)})"


def _argument(argument: Fixed | Use, spec: ModelSpec, state: str) -> str:
    if isinstance(argument, Fixed):
        return format_number(argument.value)
    parameter = spec.parameter(argument.parameter)
    correlation = parameter.constraint == "correlation"
    name = declare.sampled_name(parameter) if correlation else parameter.name
    return f"{name}[{state}]" if argument.by_state else name
