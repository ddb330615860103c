"""Data simulated from a model at given parameters, with the true states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.covariances import is_correlation_matrix
from stanmix.data import Table, is_missing
from stanmix.design import Encodings
from stanmix.emissions import draw_responses, matrices_of, probabilities
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.latent import stationary
from stanmix.latent.random import chosen
from stanmix.levels import level
from stanmix.program.rows import Rows
from stanmix.spec import (
    Design,
    ModelSpec,
    Parameter,
    Regression,
    Response,
    reported,
)

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulated data.

    Parameters
    ----------
    data
        A data frame like that of the model, with simulated responses; a mapping of arrays where
        one of the model's has two dimensions.
    states
        The true component or state, from 1, of every row of `data`.
    parameters
        The parameters it was simulated at, by the names of the posterior.
    """

    data: Any
    states: pd.Series
    parameters: Mapping[str, Array]


def required(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """The parameters that a simulation needs, with their shapes.

    Where a parameter varies, its coefficients say all, and its value at the covariates' means is
    not needed.
    """
    varying = {r.parameter for r in spec.regressions if r.columns and r.component is None}
    shapes: dict[str, tuple[int, ...]] = {}
    sizes = spec.sizes
    for parameter in spec.parameters:
        spread = any(axis.startswith("effect_") for axis in parameter.axes)
        if not parameter.is_slope and not spread and parameter.name not in varying:
            shapes[parameter.name] = tuple(sizes[axis] for axis in parameter.axes)
    for regression in spec.regressions:
        first = _first_axes(regression, spec)
        if regression.columns:
            shapes[regression.coefficients] = (*first, len(regression.terms))
        for effect in regression.groups:
            own = (len(effect.group.levels), len(effect.columns))
            shapes[f"r_{effect.name}"] = (*first, *own)
    return shapes


def _first_axes(regression: Regression, spec: ModelSpec) -> tuple[int, ...]:
    """The lengths of the axes of coefficients before their terms, in the posterior."""
    return tuple(spec.sizes[axis] for axis in reported(spec.axes_of(regression)))


def checked(spec: ModelSpec, given: Mapping[str, Any]) -> dict[str, Array]:
    """Given parameters as arrays, if they are all there and have their shapes.

    Raises
    ------
    SpecError
        One is missing, unknown, or has another shape; or probabilities do not sum to 1.
    """
    shapes = required(spec)
    known = [*shapes, *(p.name for p in spec.parameters)]
    known += [r.coefficients for r in spec.regressions if r.is_offset_alone]
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known)
            message = f"The model has no parameter `{name}`; it has {listing(shapes)}."
            raise SpecError(Problem(message, hint=hint))
    missing = [name for name in shapes if name not in given]
    if missing:
        raise SpecError(f"A simulation needs {listing(missing)} too.")
    own = {p.name: p for p in spec.parameters}
    values = {}
    for name, shape in shapes.items():
        try:
            values[name] = np.array(given[name], dtype=np.float64)
        except (TypeError, ValueError):
            raise SpecError(f"`{name}` must be numbers.") from None
        broken = _broken(spec, own.get(name), values[name], shape)
        if broken:
            raise SpecError(f"`{name}` must {broken}.")
    return values


def _broken(
    spec: ModelSpec, parameter: Parameter | None, value: Array, shape: tuple[int, ...]
) -> str | None:
    """What a value must be that it is not. Bounds are those of the family, priors aside."""
    if value.shape != shape:
        return f"have shape {shape}, not {value.shape}"
    if not np.isfinite(value).all():
        return "be finite"
    if parameter is None or parameter.is_slope:
        return None
    if parameter.constraint == "simplex":
        allowed = np.array(spec.moves, dtype=bool) if parameter.name == "transition" else True
        proper = (value >= 0).all() and np.allclose(value.sum(axis=-1), 1, atol=1e-6)
        if not proper:
            return "be probabilities that sum to 1"
        return None if (np.where(allowed, 0, value) == 0).all() else "be 0 where moves are excluded"
    if parameter.constraint == "correlation":
        return None if is_correlation_matrix(value) else "be a correlation matrix"
    param = spec.declared(parameter)
    if param is not None and param.increasing and not (np.diff(value) > 0).all():
        return "increase"
    low, high, closed = _own_bounds(spec, parameter)
    inside = (value >= low) & (value <= high) if closed else (value > low) & (value < high)
    return None if inside.all() else f"lie between {low:g} and {high:g}"


def _own_bounds(spec: ModelSpec, parameter: Parameter) -> tuple[float, float, bool]:
    """The bounds that its family gives a parameter, and whether it may lie on them."""
    param = spec.declared(parameter)
    if param is None:
        return -np.inf, np.inf, False
    low = -np.inf if param.lower is None else param.lower
    return low, np.inf if param.upper is None else param.upper, param.closed


def simulate(
    spec: ModelSpec,
    table: Table,
    rows: Rows,
    encoded: Encodings,
    parameters: Mapping[str, Array],
    rng: np.random.Generator,
) -> Simulated:
    """Simulate responses for the rows of `table`, which keep all else.

    Rows without a response stay without; labels that are known become the true ones; no response is
    censored, since a model does not say what would be.

    Parameters
    ----------
    spec, table, rows, encoded
        The model, its data, how they are arranged, and how covariates are encoded.
    parameters
        What `checked` returned.
    rng
        What draws.
    """
    if spec.freq is not None:
        raise SpecError("Rows that count several times cannot be simulated: write them out.")
    matrices = matrices_of(encoded, table)
    unit_states = _States(spec, table, rows, matrices, parameters).draw(rng)
    states = unit_states[rows.unit_of_row]
    columns = dict(table.columns)
    for name, drawn in draw_responses(spec, table, matrices, parameters, states, rng).items():
        columns[name] = _replaced(columns[name], drawn)
    for response in spec.responses:
        if response.kind in ("choice", "category"):
            # A choice that nobody happened to make is one still.
            (name,) = response.columns
            if columns[name].dropna().map(level).nunique() < len(response.labels):
                kind, numeric = columns[name].dtype, columns[name].dtype.kind in "iuf"
                codes, ordered = columns[name].map(level, na_action="ignore"), numeric
                if isinstance(kind, pd.CategoricalDtype):
                    ordered = bool(kind.ordered)
                made = pd.Categorical(codes, list(response.labels), ordered=ordered)
                made = made.rename_categories(float) if numeric else made
                columns[name] = pd.Series(made)
    for response in spec.responses:
        columns |= _uncensored(response, columns)
    absent = {c: is_missing(table, c) for r in spec.responses for c in r.columns}
    for name, mask in absent.items():
        columns[name] = columns[name].where(~mask)
    if spec.known is not None:
        labels = pd.Series(states + 1.0)
        columns[spec.known] = labels.where(~is_missing(table, spec.known))
    data: pd.DataFrame | dict[str, Any] = pd.DataFrame(columns).set_axis(table.labels)
    if table.matrices:
        parts = {part for parts in table.matrices.values() for part in parts}
        data = {name: values.to_numpy() for name, values in columns.items() if name not in parts}
        for name, own in table.matrices.items():
            data[name] = np.column_stack([columns[part] for part in own])
    true = pd.Series(states + 1, index=table.labels, name="state")
    return Simulated(data, true, parameters)


def _uncensored(response: Response, columns: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """The columns of censoring, if they are there, where nothing is."""
    known = response.censored
    if known is None:
        return {}
    column = columns[known.column]
    numeric = column.dtype.kind in "biuf"
    none = np.zeros_like(column.to_numpy()) if numeric else np.full(len(column), "none", object)
    found = {known.column: pd.Series(none)}
    return found | ({known.end: pd.Series(np.full(len(column), np.nan))} if known.end else {})


def _replaced(column: pd.Series, drawn: NDArray[Any]) -> pd.Series:
    """New values of a column, of a type like its own."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(drawn, dtype=column.dtype))
    if drawn.dtype.kind == "f" and (drawn == np.floor(drawn)).all() and column.dtype.kind in "iub":
        return pd.Series(drawn.astype(np.int64))
    return pd.Series(drawn)


def first_state(spec: ModelSpec, parameters: Mapping[str, Array]) -> Array:
    """Probabilities of the first state, where they do not vary: (.., state).

    Parameters
    ----------
    spec
        The model.
    parameters
        (.., *shape) each.
    """
    fixed: dict[str, Array] = {
        "uniform": np.full(spec.K, 1.0 / spec.K),
        "first": np.eye(spec.K)[0],
    }
    if str(spec.initial) in fixed:
        return fixed[str(spec.initial)]
    if spec.initial == "stationary":
        return stationary(parameters["transition"])
    return parameters["initial"]


@dataclass(frozen=True, eq=False)
class _States:
    """The latent structure of a model, from which states are drawn."""

    spec: ModelSpec
    table: Table
    rows: Rows
    matrices: Mapping[Design, Array]
    parameters: Mapping[str, Array]

    def draw(self, rng: np.random.Generator) -> Integers:
        """A state, from 0, for every unit."""
        units = len(self.rows.unit_size)
        u = rng.random(units)
        if self.spec.kind == "mix":
            weights = self.probabilities("weights", self.heads)
            return chosen(weights, u)
        transition = self.transitions()
        initial = self.initial()
        states = np.empty(units, np.int64)
        series = 0
        starts = set(self.rows.starts.tolist())
        for t in range(units):
            if t in starts:
                row = initial[min(series, len(initial) - 1)]
                series += 1
            else:
                row = transition[t if len(transition) > 1 else 0, states[t - 1]]
            states[t] = chosen(row, u[t])
        return states

    @property
    def heads(self) -> Integers:
        """The user's row that stands for each unit."""
        return np.asarray(self.rows.order[self.rows.heads])

    def probabilities(self, name: str, heads: Integers) -> Array:
        """Probabilities of components or moves in every place: (place, state, ..)."""
        return probabilities(self.spec, name, self.table, self.matrices, self.parameters)[heads]

    def initial(self) -> Array:
        """Probabilities of the first state: (series or 1, state)."""
        if self.spec.varies("initial"):
            return self.probabilities("initial", self.heads[self.rows.starts])
        return first_state(self.spec, self.parameters)[None]

    def transitions(self) -> Array:
        """Transition probabilities: (unit or 1, state, state)."""
        if self.spec.varies("transition"):
            return self.probabilities("transition", self.heads)
        transition = self.parameters["transition"]
        if (self.rows.steps == 1).all():
            return np.asarray(transition[None])
        steps, which = np.unique(self.rows.steps, return_inverse=True)
        powers = [np.linalg.matrix_power(transition, int(n)) for n in steps]
        return np.asarray(np.stack(powers)[which])
