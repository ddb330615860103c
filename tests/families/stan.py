"""The Stan functions of a family, evaluated in process by stanli."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import stanli

from stanmix.program.resources import needed_functions
from tests.families.variants import TRIALS, Params, Response, Variant

Evaluate = Callable[[Params, Response], np.ndarray]


def emission_head(variant: Variant) -> str:
    """The head of the function that draws one emission for each row."""
    matrix = variant.chooses or variant.many
    returned = "matrix" if matrix else "array[] int" if variant.discrete else "vector"
    arguments = ["array[] int trials" if variant.tries else "int N"]
    arguments += [f"int {name}" for name in variant.choices]
    arguments += [f"{p.stan_type()} {p.name}" for p in variant.family.params]
    return f"{returned} {variant.family.stan}_emission_rng({', '.join(arguments)})"


def stan_params(variant: Variant, params: Params) -> dict[str, np.ndarray]:
    """Parameters as Stan has them: a correlation matrix by its Cholesky factor."""
    return {
        p.name: np.linalg.cholesky(params[p.name]) if p.correlation else np.asarray(params[p.name])
        for p in variant.family.params
    }


def stan_function(
    variant: Variant, name: str = "log_omega", by_row: frozenset[str] = frozenset()
) -> Evaluate:
    """A function of response and parameters, as a function in Python.

    Parameters named in `by_row` have a value for each row.
    """
    head = variant.family.signature(variant.additions, name, by_row)
    code = _functions(head, by_row)
    function = stanli.Function(f"{variant.family.stan}_{name}", stan_code=code)

    def evaluate(params: Params, response: Response) -> np.ndarray:
        columns = dict(zip((c.name for c in variant.columns), response, strict=True))
        values = stan_params(variant, params)
        for param in variant.family.params:
            if param.simplex and param.name in by_row:
                # Of probabilities that vary, Stan has the logarithms.
                values[param.stan_name(by_row=True)] = np.log(values.pop(param.name))
        return np.asarray(function(**columns, **variant.choices, **values))

    return evaluate


def gradient_model(variant: Variant, params: Params, response: Response) -> stanli.Model:
    """A program with the density of rows in a mixture with a constant, at plain parameters.

    The constant is another state: it keeps the density finite where a row has none in the family.
    """
    columns = dict(zip((c.name for c in variant.columns), response, strict=True))
    data = {"N": response[-1].shape[-1], **variant.choices, **columns}
    head = variant.family.signature(variant.additions)
    arguments = [name for column in variant.columns for _, name in column.arguments()]
    arguments += [param.name for param in variant.family.params]
    code = (
        _functions(head)
        + _block("data", data)
        + _block("parameters", stan_params(variant, params))
        + "model {\n"
        + f"  vector[N] log_omega = {variant.family.stan}_log_omega({', '.join(arguments)});\n"
        + "  target += sum(log_sum_exp(log_omega, rep_vector(-3, N)));\n}\n"
    )
    return stanli.Model(stan_code=code, data=data)


def point(variant: Variant, params: Params) -> np.ndarray:
    """Parameters as the flat vector that `gradient_model` takes."""
    return np.concatenate([v.ravel(order="F") for v in stan_params(variant, params).values()])


def emissions(variant: Variant, params: Params, rows: int, seed: int) -> np.ndarray:
    """One draw of the family for each of many rows, laid out as in Stan."""
    data: dict[str, Any] = {"N": rows, **variant.choices, **stan_params(variant, params)}
    if variant.tries:
        data["trials"] = np.full(rows, TRIALS)
    shape = (len(data["mu"]), rows) if variant.many else (rows, 2) if variant.chooses else (rows,)
    drawn = np.zeros(shape, dtype=int if variant.discrete else float)
    head = emission_head(variant)
    arguments = [a.split(" ")[-1] for a in head.partition("(")[2].rstrip(")").split(", ")]
    code = (
        _functions(head)
        + _block("data", data)
        + "parameters {\n  real unused;\n}\n"
        + "generated quantities {\n"
        + f"  {_declaration('drawn', drawn)} = "
        + f"{variant.family.stan}_emission_rng({', '.join(arguments)});\n}}\n"
    )
    plain = {name: np.asarray(value).tolist() for name, value in data.items()}
    model = stanli.bridgestan_model(stan_code=code, data=json.dumps(plain))
    flat = model.param_constrain(np.zeros(1), include_gq=True, rng=model.new_rng(seed))
    return np.asarray(flat[1:]).reshape(shape, order="F")


def _functions(head: str, by_row: frozenset[str] = frozenset()) -> str:
    texts = [function.text for function in needed_functions([(head, by_row)], "")]
    return "functions {\n" + "\n".join(texts) + "\n}\n"


def _block(name: str, values: dict[str, Any]) -> str:
    lines = [f"  {_declaration(*item)};\n" for item in values.items()]
    return f"{name} {{\n{''.join(lines)}}}\n"


def _declaration(name: str, value: Any) -> str:
    """Declare a variable of the value's type and size."""
    value = np.asarray(value)
    size = ", ".join(str(n) for n in value.shape)
    if value.dtype.kind == "i":
        return f"array[{size}] int {name}" if size else f"int {name}"
    kind = ("real", f"vector[{size}]", f"matrix[{size}]")[value.ndim]
    return f"{kind} {name}"
