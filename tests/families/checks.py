"""What is checked of any family, from its declaration alone: nothing here knows one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np
import stanli
from scipy import stats

from stanmix.families import Column, Family, Param
from stanmix.program.resources import folder, functions, needed_functions

Params = Mapping[str, Any]
Uniform = Callable[[float, float], float]

A = 3
TRIALS = 12
RTOL = 1e-9


@dataclass(frozen=True)
class Variant:
    """A family in models with these additions on the left side."""

    family: Family
    additions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return "+".join([self.family.key, *sorted(self.additions)])

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.family.columns(self.additions)

    @property
    def random(self) -> tuple[Column, ...]:
        """Columns that the family draws; `trials` is only looked at."""
        return tuple(c for c in self.columns if c.addition != "trials")

    @property
    def many(self) -> bool:
        return any(c.many for c in self.columns)

    @property
    def chooses(self) -> bool:
        return any(c.kind == "choice" for c in self.columns)

    @property
    def discrete(self) -> bool:
        return self.columns[0].kind in ("count", "binary")

    @property
    def extra(self) -> dict[str, Any]:
        return {"A": A} if self.chooses else {}


def variants(family: Family) -> list[Variant]:
    """A family with each set of additions that it allows."""
    fixed = {c.addition for c in family.response if c.addition and not c.optional}
    free = [c.addition for c in family.response if c.addition and c.optional]
    subsets = chain.from_iterable(combinations(free, n) for n in range(len(free) + 1))
    return [Variant(family, frozenset(fixed | set(subset))) for subset in subsets]


# What the Stan file says.


def emission_head(variant: Variant) -> str:
    """The head that the function must have that draws one emission for each row."""
    family = variant.family
    trials = any(c.addition == "trials" for c in variant.columns)
    arguments = ["array[] int trials" if trials else "int N"]
    arguments += ["int A"] * variant.chooses
    arguments += [f"{p.stan_type} {p.name}" for p in family.params]
    returned = "array[] int" if variant.discrete else "vector"
    if variant.chooses or variant.many:
        returned = "matrix"
    return f"{returned} {family.stan}_emission_rng({', '.join(arguments)})"


def has_log_cumulative(variant: Variant) -> bool:
    return not variant.many and not variant.chooses


def check_heads(variant: Variant) -> None:
    """Every function is there under the head that the declaration gives, with a comment."""
    heads = [variant.family.signature(variant.additions), emission_head(variant)]
    if has_log_cumulative(variant):
        heads.append(variant.family.signature(variant.additions, "log_cumulative"))
    for head in heads:
        assert head in functions(), f"no Stan function `{head}`"
        assert functions()[head].text.startswith("//"), f"`{head}` has no comment above it"


def check_explained(variant: Variant) -> None:
    """The comment at the top of the Stan file names every parameter."""
    text = (folder("stan") / "families" / f"{variant.family.stan}.stan").read_text("utf-8")
    top = text.split("\n\n")[0]
    for param in variant.family.params:
        assert param.name in top, f"the comment at the top does not say what `{param.name}` is"


# Parameters and responses to try.


def some_params(variant: Variant, uniform: Uniform, columns: int = 2) -> dict[str, Any]:
    """Parameters within their bounds, of ordinary size."""
    size = {"column": columns, "accumulator": A}

    def number(param: Param) -> float:
        if param.lower is None:
            return uniform(-3, 3)
        if param.upper is not None:
            return param.lower + (param.upper - param.lower) * uniform(0.03, 0.97)
        if param.below is not None:
            return uniform(0.05, 0.5)
        return param.lower + float(np.exp(uniform(-1.5, 1.5)))

    def value(param: Param) -> Any:
        if param.correlation:
            factor = np.tril([[uniform(-0.9, 0.9) for _ in range(columns)] for _ in range(columns)])
            np.fill_diagonal(factor, 1.0)
            factor /= np.linalg.norm(factor, axis=1, keepdims=True)
            return factor @ factor.T
        if param.axes:
            return np.array([number(param) for _ in range(size[param.axes[0]])])
        return number(param)

    return {param.name: value(param) for param in variant.family.params}


def shift(variant: Variant, params: Params) -> float:
    """Where the support begins: at a parameter that the response must stay above, or at 0."""
    return float(sum(params[p.name] for p in variant.family.params if p.below))


def some_response(
    variant: Variant, params: Params, uniform: Uniform, rows: int = 6
) -> list[np.ndarray]:
    """Rows drawn from the reference and stretched, so that some lie in the tails."""
    rng = np.random.default_rng(int(uniform(0, 1e6)))
    reference = variant.family.reference(**params)
    stretch = uniform(0.2, 6)
    trials = {"trials": np.full(rows, TRIALS)} if variant.columns[-1].name == "trials" else {}
    draws = np.asarray(reference.rvs(rows, random_state=rng, **variant.extra, **trials))
    if trials:
        return [rng.integers(0, TRIALS + 1, rows), trials["trials"]]
    if variant.discrete:
        return [draws if variant.columns[0].kind == "binary" else (draws * stretch).astype(int)]
    if variant.chooses:
        start = shift(variant, params)
        return [start + (draws[:, 0] - start) * stretch, draws[:, 1].astype(int)]
    start = shift(variant, params)
    return [start + (draws - start) * stretch]


# Evaluation in Stan.


def stan_code(*heads: str) -> str:
    """A functions block with these functions and what they call."""
    return "functions {\n" + "\n".join(f.text for f in needed_functions(heads, "")) + "\n}\n"


def stan_values(variant: Variant, params: Params) -> dict[str, Any]:
    """Parameters as Stan has them: a correlation matrix by its Cholesky factor."""
    return {
        p.name: np.linalg.cholesky(params[p.name]) if p.correlation else params[p.name]
        for p in variant.family.params
    }


def stan_function(
    variant: Variant, name: str = "log_omega"
) -> Callable[[Params, list[np.ndarray]], np.ndarray]:
    """One of the family's functions of response and parameters, as a Python function."""
    code = stan_code(variant.family.signature(variant.additions, name))
    function = stanli.Function(f"{variant.family.stan}_{name}", stan_code=code)

    def evaluate(params: Params, response: list[np.ndarray]) -> np.ndarray:
        named = dict(zip((c.name for c in variant.columns), response, strict=True))
        values = function(**named, **variant.extra, **stan_values(variant, params))
        return np.asarray(values)

    return evaluate


def log_reference(variant: Variant, params: Params, response: list[np.ndarray]) -> np.ndarray:
    reference = variant.family.reference(**params)
    density = reference.logpmf if variant.discrete else reference.logpdf
    with np.errstate(all="ignore"):
        return np.asarray(density(*response, **variant.extra))


def assert_same(ours: np.ndarray, theirs: np.ndarray, rtol: float = RTOL) -> None:
    """Equal to `rtol` of the value, or of 1 where the value is smaller."""
    assert not np.isnan(ours).any(), ours
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[~finite], theirs[~finite])
    scale = np.maximum(np.abs(theirs[finite]), 1)
    np.testing.assert_array_less(np.abs(ours[finite] - theirs[finite]), rtol * scale)


# Density.


def check_density(
    variant: Variant, evaluate: Callable[..., np.ndarray], uniform: Uniform, columns: int = 2
) -> None:
    """The density equals the reference."""
    params = some_params(variant, uniform, columns)
    response = some_response(variant, params, uniform)
    assert_same(evaluate(params, response), log_reference(variant, params, response))


def check_log_cumulative(
    variant: Variant, evaluate: Callable[..., np.ndarray], uniform: Uniform
) -> None:
    """The log distribution function equals the reference, also outside the support."""
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    for column in outside(variant, params)[:1]:
        response[0] = np.append(response[0], column)
        response[1:] = [np.append(c, np.full(len(column), c[0])) for c in response[1:]]
    with np.errstate(all="ignore"):
        theirs = np.asarray(variant.family.reference(**params).logcdf(*response))
    assert_same(evaluate(params, response), theirs)


def panels(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of a composite Gauss-Legendre rule."""
    points, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, count + 1)
    half = np.diff(edges)[:, None] / 2
    middle = (edges[:-1, None] + edges[1:, None]) / 2
    return (middle + half * points).ravel(), (half * weights).ravel()


def support(variant: Variant, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Points all over the support of the first column, with weights that integrate or sum."""
    kind = variant.columns[0].kind
    if kind == "binary":
        return np.arange(2), np.ones(2)
    if kind == "count":
        top = TRIALS + 1 if len(variant.columns) > 1 else 400
        return np.arange(top), np.ones(top)
    x, w = panels(-40, 40, 400)
    if kind == "positive":
        return shift(variant, params) + np.exp(x), w * np.exp(x)
    return np.sinh(x), w * np.cosh(x)


def by_choice(variant: Variant, evaluate: Callable[..., np.ndarray], params: Params) -> np.ndarray:
    """The density at the points of the support, one row for each choice (one without choice)."""
    points, _ = support(variant, params)
    if variant.chooses:
        return np.exp([evaluate(params, [points, np.full(len(points), a + 1)]) for a in range(A)])
    if variant.many:
        return np.exp([evaluate(params, [points[None, :]])])
    rest = [np.full(len(points), TRIALS)] * (len(variant.columns) - 1)
    return np.exp([evaluate(params, [points, *rest])])


def check_total(variant: Variant, evaluate: Callable[..., np.ndarray], uniform: Uniform) -> None:
    """The density integrates, or sums, to one; of several columns, with one."""
    params = some_params(variant, uniform, columns=1)
    total = (by_choice(variant, evaluate, params) @ support(variant, params)[1]).sum()
    np.testing.assert_allclose(total, 1, atol=1e-8)


# Outside the support, and at its edges.


def outside(variant: Variant, params: Params) -> list[np.ndarray]:
    """For each random column, values that lie outside or at the edge of the support."""
    start = shift(variant, params)
    values = {
        "positive": [-1.0, 0.0, start / 2, start, -1e-300],
        "real": [],
        "count": [-1, -30],
        "binary": [-1, 2, 7],
        "choice": [0, -1, A + 1, A + 7],
    }
    return [np.array(values[c.kind]) for c in variant.random]


def outside_response(
    variant: Variant, params: Params, good: list[np.ndarray]
) -> list[np.ndarray]:
    """Good rows first, then each bad value of each column in an otherwise good row."""
    rows = [[c[n] for c in good] for n in range(len(good[0]))]
    for place, column in enumerate(outside(variant, params)):
        for value in column:
            rows.append([value if i == place else c[0] for i, c in enumerate(good)])
    if variant.columns[-1].name == "trials":
        rows += [[TRIALS + 1, TRIALS], [0, -1]]
    return [np.array(c) for c in zip(*rows, strict=True)]


def check_outside(
    variant: Variant, evaluate: Callable[..., np.ndarray], uniform: Uniform
) -> None:
    """Outside the support the density is minus infinity; inside it is not moved by such rows."""
    params = some_params(variant, uniform)
    response = outside_response(variant, params, some_response(variant, params, uniform))
    theirs = log_reference(variant, params, response)
    known = ~np.isnan(theirs) & (theirs < np.inf)  # scipy is undefined for trials < 0
    ours = evaluate(params, response)
    assert_same(ours[known], theirs[known])
    assert (ours[~known] == -np.inf).all()


STAN_DECLARATION = {"real": "real {}", "vector": "vector[{}]", "matrix": "matrix[{0}, {0}]"}


def gradient_model(
    variant: Variant, params: Params, response: list[np.ndarray]
) -> tuple[stanli.Model, np.ndarray]:
    """A program whose density is that of rows in a mixture with a constant, and its point.

    The constant keeps the density finite where a row is outside the support, as another state
    would.
    """
    values = stan_values(variant, params)
    declared, columns = [], []
    data: dict[str, Any] = {"N": response[-1].shape[-1], **variant.extra}
    for column, value in zip(variant.columns, response, strict=True):
        data[column.name] = value
        kind = {"real": "vector[N] {}", "positive": "vector[N] {}"}.get(
            column.kind, "array[N] int {}"
        )
        columns.append(
            (f"matrix[{len(value)}, N] {{}}" if column.many else kind).format(column.name)
        )
    for param in variant.family.params:
        size = np.shape(values[param.name])
        kind = {0: "real", 1: f"vector[{size[:1]}]", 2: f"matrix[{size[:1]}, {size[1:]}]"}
        text = kind[len(size)].replace("(", "").replace(",)", "")
        declared.append(f"{text} {param.name}")
    arguments = [
        name for column in variant.columns for _, name in column.arguments()
    ] + [param.name for param in variant.family.params]
    head = variant.family.signature(variant.additions)
    code = stan_code(head) + "\n".join(
        [
            "data {",
            *(f"  {line};" for line in ["int N", *(["int A"] * variant.chooses), *columns]),
            "}",
            "parameters {",
            *(f"  {line};" for line in declared),
            "}",
            "model {",
            f"  vector[N] log_omega = {variant.family.stan}_log_omega({', '.join(arguments)});",
            "  target += sum(log_sum_exp(log_omega, rep_vector(-3, N)));",
            "}",
        ]
    )
    point = np.concatenate([np.ravel(values[p.name], order="F") for p in variant.family.params])
    return stanli.Model(stan_code=code, data=data), point


def central_differences(model: stanli.Model, point: np.ndarray) -> np.ndarray:
    def slope(i: int) -> float:
        step = 1e-5 * max(1.0, abs(point[i]))
        ends = [point.copy(), point.copy()]
        ends[0][i] -= step
        ends[1][i] += step
        low, high = (model.log_prob_grad(end)[0] for end in ends)
        return float((high - low) / (ends[1][i] - ends[0][i]))

    return np.array([slope(i) for i in range(len(point))])


def check_gradient(variant: Variant, uniform: Uniform) -> None:
    """The gradient is that of central differences, with rows outside the support among others."""
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    if not variant.many:
        response = outside_response(variant, params, response)
    model, point = gradient_model(variant, params, response)
    _, gradient = model.log_prob_grad(point)
    slopes = central_differences(model, point)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-5)


def check_gradient_at_edges(variant: Variant, uniform: Uniform) -> None:
    """Density and gradient are finite with any parameter close to one of its bounds."""
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    model, _ = gradient_model(variant, params, response)
    for param in variant.family.params:
        edges = [param.lower + 1e-9] if param.lower is not None else [-1e6, 1e6]
        edges += [param.upper - 1e-9] if param.upper is not None else [1e6]
        edges += [response[0].min() - 1e-9, response[0].min(), 1e6] if param.below else []
        for edge in edges if not param.correlation else []:
            moved = {**params, param.name: np.full_like(params[param.name], edge)}
            values = stan_values(variant, moved)
            point = [np.ravel(values[p.name], order="F") for p in variant.family.params]
            density, gradient = model.log_prob_grad(np.concatenate(point))
            assert np.isfinite(density), (param.name, edge)
            assert np.isfinite(gradient).all(), (param.name, edge, gradient)


# Draws.


def emissions(variant: Variant, params: Params, rows: int, seed: int) -> np.ndarray:
    """One draw of the family for each of many rows, by its Stan function."""
    head = emission_head(variant)
    returned = head.split(" ")[0]
    shape = "N, 2" if variant.chooses else f"{len(np.atleast_1d(params['mu']))}, N" if variant.many else "N"
    declared = {"vector": "vector[N]", "array[]": "array[N] int", "matrix": f"matrix[{shape}]"}
    trials = any(c.addition == "trials" for c in variant.columns)
    values = stan_values(variant, params)
    data: dict[str, Any] = {"N": rows, **variant.extra, **values}
    lines = ["int N;", *(["int A;"] * variant.chooses)]
    if trials:
        data["trials"] = [TRIALS] * rows
        lines.append("array[N] int trials;")
    for name, value in values.items():
        size = ", ".join(str(s) for s in np.shape(value))
        data[name] = np.asarray(value).tolist()
        lines.append(f"{['real', 'vector', 'matrix'][np.ndim(value)]}{f'[{size}]' if size else ''} {name};")
    arguments = ["trials" if trials else "N", *(["A"] * variant.chooses), *values]
    code = (
        stan_code(head)
        + "data {\n" + "\n".join(lines) + "\n}\nparameters {\n  real unused;\n}\n"
        + f"generated quantities {{\n  {declared[returned]} draws = "
        + f"{variant.family.stan}_emission_rng({', '.join(arguments)});\n}}\n"
    )
    model = stanli.bridgestan_model(stan_code=code, data=_json(data))
    flat = model.param_constrain(np.zeros(1), include_gq=True, rng=model.new_rng(seed))[1:]
    if variant.chooses:
        return flat.reshape(2, rows).T
    return flat.reshape(rows, -1).T if variant.many else flat
