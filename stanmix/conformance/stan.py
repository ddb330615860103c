"""The Stan functions of a family, called on an engine through small programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.conformance.trials import TRIALS, Params, Response, Variant
from stanmix.engines.base import Engine
from stanmix.program.program import StanProgram
from stanmix.program.resources import Function, functions, needed_functions, split_functions

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StanSide:
    """A family in a model, as an engine computes it.

    Parameters
    ----------
    variant
        The family and the additions of the model.
    engine
        What runs its functions.
    """

    variant: Variant
    engine: Engine

    @cached_property
    def own(self) -> list[Function]:
        """The functions that the family brings along."""
        return split_functions(self.variant.family.stan_code)

    @property
    def emission_head(self) -> str:
        """The head of the function that draws one emission for each row."""
        variant = self.variant
        matrix = variant.chooses or variant.many
        returned = "matrix" if matrix else "array[] int" if variant.discrete else "vector"
        arguments = ["array[] int trials" if variant.tries else "int N"]
        arguments += [f"int {name}" for name in variant.choices]
        arguments += [f"{p.stan_type} {p.name}" for p in variant.family.params]
        return f"{returned} {variant.family.stan}_emission_rng({', '.join(arguments)})"

    @property
    def draws_emissions(self) -> bool:
        """Whether there is such a function."""
        return self.emission_head in functions() | {f.signature: f for f in self.own}

    def values(
        self,
        name: str,
        points: Sequence[Params],
        response: Response,
        by_row: frozenset[str] = frozenset(),
    ) -> Array:
        """A function of the response, at several points in the parameters: (point, row).

        Some parameters may have a value for each row.
        """
        stacked = [self.stan_params(point, by_row) for point in points]
        at = {param: np.stack([p[param] for p in stacked]) for param in stacked[0]}
        program = self.program(name, stacked[0], by_row)
        made = self.engine.generate(program, self.data(response), at, ["value"])
        return np.asarray(made["value"])

    def log_density(
        self,
        name: str,
        params: Mapping[str, Array],
        response: Response,
        by_row: frozenset[str] = frozenset(),
    ) -> tuple[float, Array]:
        """Log density of rows in a mixture with a constant, and its gradient.

        Parameters are as Stan has them, some with a value for each row. The constant is another
        state: it keeps the density finite where a row has none in the family.
        """
        program = self.program(name, params, by_row)
        return self.engine.log_density(program, self.data(response), params)

    def emissions(self, params: Params, rows: int, seed: int) -> Array:
        """One draw for each of many rows, laid out as in Stan."""
        at, variant = self.stan_params(params), self.variant
        data: dict[str, Any] = {"N": rows, **variant.choices}
        if variant.tries:
            data["trials"] = np.full(rows, TRIALS)
        columns = len(at["mu"]) if variant.many else 2
        kind = f"matrix[{columns}, N]" if variant.many else "matrix[N, 2]"
        if not (variant.many or variant.chooses):
            kind = "array[N] int" if variant.discrete else "vector[N]"
        types = {own: _type(value) for own, value in at.items()}
        listed = ["trials" if variant.tries else "N", *variant.choices, *at]
        call = f"{variant.family.stan}_emission_rng({', '.join(listed)})"
        code = "\n".join(
            [
                *self.functions(self.emission_head),
                *_block("data", {n: _int_type(v) for n, v in data.items()} | types),
                *_block("parameters", {"unused": "real"}),
                "generated quantities {",
                f"  {kind} value = {call};",
                "}",
            ]
        )
        # With parameters as data engines know more of what is drawn, and are faster.
        program, none = StanProgram(f"{code}\n", ("unused",)), {"unused": np.zeros(1)}
        made = self.engine.generate(program, data | at, none, ["value"], seed)
        return np.asarray(made["value"][0])

    def stan_params(self, params: Params, by_row: frozenset[str] = frozenset()) -> dict[str, Array]:
        """Parameters as Stan has them, by the names of arguments.

        It has a correlation matrix by its Cholesky factor, and of probabilities that vary by row
        the logarithms.
        """
        found = {}
        for param in self.variant.family.params:
            value = np.asarray(params[param.name], dtype=np.float64)
            if param.correlation:
                value = np.asarray(np.linalg.cholesky(value))
            elif param.simplex and param.name in by_row:
                value = np.log(value)
            found[param.argument(by_row=param.name in by_row)[1]] = value
        return found

    def data(self, response: Response) -> dict[str, Any]:
        """The data block of these rows."""
        columns = dict(zip((c.name for c in self.variant.columns), response, strict=True))
        return {"N": response[-1].shape[-1], **self.variant.choices, **columns}

    def program(
        self, name: str, at: Mapping[str, Array], by_row: frozenset[str] = frozenset()
    ) -> StanProgram:
        """A program of one function, at plain parameters of the shapes of `at`."""
        family, columns = self.variant.family, self.variant.columns
        data = {"N": "int", **dict.fromkeys(self.variant.choices, "int")}
        for column in columns:
            kind = column.arguments()[0][0]
            size = f"[{len(at['mu'])}, N]" if column.many else "[N]"
            data[column.name] = f"array{size} int" if "int" in kind else f"{kind}{size}"
        arguments = [p.argument(by_row=p.name in by_row) for p in family.params]
        types = {
            own: _type(at[own], p.name in by_row, array="array" in kind)
            for p, (kind, own) in zip(family.params, arguments, strict=True)
        }
        listed = [argument for column in columns for _, argument in column.arguments()]
        call = f"{family.stan}_{name}({', '.join([*listed, *at])})"
        code = "\n".join(
            [
                *self.functions(family.signature(self.variant.additions, name, by_row), by_row),
                *_block("data", data),
                *_block("parameters", types),
                "model {",
                f"  target += sum(log_sum_exp({call}, rep_vector(-3, N)));",
                "}",
                "generated quantities {",
                f"  vector[N] value = {call};",
                "}",
            ]
        )
        return StanProgram(f"{code}\n", tuple(at))

    def functions(self, head: str, by_row: frozenset[str] = frozenset()) -> list[str]:
        """The functions block of a program that calls the function with this head."""
        needed = needed_functions([(head, by_row)], "", self.own)
        return ["functions {", *(function.text for function in needed), "}"]


def _block(name: str, variables: Mapping[str, str]) -> list[str]:
    return [f"{name} {{", *(f"  {kind} {own};" for own, kind in variables.items()), "}"]


def _type(value: Array, by_row: bool = False, *, array: bool = False) -> str:
    """The type of a plain parameter; its last axis is that of the rows where it varies."""
    sizes = [str(size) for size in value.shape]
    if by_row:
        sizes[-1] = "N"
    if array:
        return f"array[{sizes[0]}] vector[{sizes[1]}]"
    return ("real", "vector", "matrix")[value.ndim] + (f"[{', '.join(sizes)}]" if sizes else "")


def _int_type(value: Any) -> str:
    return "array[N] int" if np.ndim(value) else "int"
