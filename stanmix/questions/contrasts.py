"""Quantities made of parameters: contrasts, and what all of them, or moves, imply."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from stanmix import latent
from stanmix.diagnostics import summarise
from stanmix.errors import Problem, SpecError, did_you_mean, listing, require_one_of
from stanmix.held import held, rows_at
from stanmix.moments import Moment, Moments
from stanmix.questions.asking import ask, require_kind

if TYPE_CHECKING:
    from stanmix.fit import Fit

Derived = Literal["stationary", "dwell", "mean", "variance"]
"""What follows from a transition matrix, or from all parameters."""

LONGEST = 1000
"""Most characters of a contrast, so that brackets are not too deep."""

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
}

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}


def contrast(
    fit: Fit, expression: str, *, rope: float | tuple[float, float] | None = None
) -> pd.DataFrame:
    """What the posterior says of a quantity made of parameters.

    Parameters
    ----------
    expression
        Elements of parameters as `summary` names them, numbers, `+ - * / ^`, brackets, and `abs`,
        `exp`, `log`, `sqrt`: `mu[2] - mu[1]`, `log(sigma[2] / sigma[1])`, `beta_mu[2, x]`. Labels
        that are no names stand in quotes.
    rope
        A region of practical equivalence to no difference: from its negative to a number, or from
        one number to another.

    Returns
    -------
    DataFrame
        A row, `expression`, with the columns of `summary`, `p_positive`, the probability to be
        above 0, and `in_rope`, that to be within the region.

    Raises
    ------
    SpecError
        The expression is none, or names what the posterior does not have; `rope` is no region.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.contrast("mu[2] - mu[1]", rope=1)["in_rope"].iloc[0] < 0.05
    np.True_
    """
    posterior = fit.draws["posterior"].to_dataset()
    value = _evaluated(expression, posterior)
    if not isinstance(value, xr.DataArray):
        raise SpecError(f"`{expression}` holds no parameter.")
    low, high = _region(rope)
    table = summarise(value.to_dataset(name="contrast")).set_axis([expression])
    table["p_positive"] = float((value > 0).mean())
    table["in_rope"] = (
        float(((value >= low) & (value <= high)).mean()) if rope is not None else np.nan
    )
    return table


def derive(fit: Fit, quantity: Derived) -> xr.DataArray:
    """What the parameters imply, for every draw.

    Parameters
    ----------
    quantity
        "mean", "variance": of the response, over all components by their weights, or over states as
        often as a chain is in each in the long run; of each column that has one. Where each row has
        trials of its own, there are as many as in the mean row. Of a hidden Markov model also
        "stationary": the share of time in each state in the long run; and "dwell": how many steps
        each state lasts on average, 1 / (1 - probability to stay).

    Returns
    -------
    DataArray
        (chain, draw, state); of a mean or variance (chain, draw), or (chain, draw, column) where
        the response has several columns. They do not depend on labels.

    Raises
    ------
    SpecError
        There is no such quantity; the model is a mixture, and has no moves; parameters that it
        needs vary; the response has no mean or variance; or some states cannot be reached from
        others, so that there is no long run.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> share = f.derive("stationary")
    >>> bool(np.allclose(share.sum("state"), 1))
    True
    >>> rate = f.draws["posterior"]["rate"]
    >>> bool(np.allclose(f.derive("mean"), (share * rate).sum("state")))
    True
    """
    require_one_of("quantity", quantity, get_args(Derived))
    if quantity == "mean" or quantity == "variance":
        return _moment(fit, quantity)
    require_kind(fit, "hmm", f'derive("{quantity}")', "contrast()")
    if fit.model.spec.varies("transition"):
        raise SpecError("`transition` varies with covariates, so there is no long run.")
    transition = fit.draws["posterior"].to_dataset()["transition"]
    if quantity == "dwell":
        stay = np.diagonal(transition.values, axis1=-2, axis2=-1)
        with np.errstate(divide="ignore"):
            values = 1 / (1 - stay)
    else:
        try:
            values = latent.stationary(transition.values)
        except ValueError:
            raise SpecError("Some states cannot be reached from others: no long run.") from None
    return transition.isel(state_to=0, drop=True).copy(data=values).rename(quantity)


def _moment(fit: Fit, quantity: Literal["mean", "variance"]) -> xr.DataArray:
    """The mean or variance of the response."""
    spec = fit.model.spec
    varying = [r.name for r in spec.regressions if r.name != "initial"]
    if varying:
        raise SpecError(
            Problem(
                f"{listing(varying)} {'varies' if len(varying) == 1 else 'vary'} by row, and so "
                f"does the {quantity} of the response.",
                hint="`effects(..)` works out the mean at values of a covariate",
            )
        )
    asked = ask(fit, draws=None)
    row = rows_at(held(spec, fit.model.table))
    moments = Moments(spec, row, fit.model.encoded, asked.draw_by_draw)
    moment: Moment = "mean" if quantity == "mean" else "var"
    if lacks := moments.lacks(moment):
        raise SpecError(lacks)
    columns = moments.columns(moment)
    values = (moments.mean() if moment == "mean" else moments.variance())[:, 0]
    if len(columns) == 1:
        return asked.over_draws(values[:, 0], {})
    return asked.over_draws(values, {"column": columns})


def _region(rope: float | tuple[float, float] | None) -> tuple[float, float]:
    """The ends of a region around no difference."""
    if rope is None:
        return 0.0, 0.0
    try:
        ends = np.sort(np.atleast_1d(np.asarray(rope, dtype=np.float64)))
    except (TypeError, ValueError):
        ends = np.array([])
    if ends.shape not in ((1,), (2,)) or np.isnan(ends).any():
        raise SpecError(f"`rope` is a number, or two, not {rope!r}.")
    if ends.shape == (1,):
        return -abs(float(ends[0])), abs(float(ends[0]))
    return float(ends[0]), float(ends[1])


def _evaluated(expression: str, posterior: xr.Dataset) -> Any:
    """An expression of elements of the posterior.

    Read by Python's own parser and worked out here: nothing of it is executed.

    Raises
    ------
    SpecError
        It holds something else.
    """
    if not isinstance(expression, str):
        raise SpecError(f"A contrast is text such as 'mu[2] - mu[1]', not {expression!r}.")
    if len(expression) > LONGEST:
        raise SpecError(f"The contrast is longer than {LONGEST} characters.")
    try:
        tree = ast.parse(expression.replace("^", "**").strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SpecError(f"`{expression}` is no expression of parameters.") from None

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body=body):
                return value(body)
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=[only], keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](value(only))
            case ast.Name(id=name):
                return _element(posterior, name, ())
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                parts = index.elts if isinstance(index, ast.Tuple) else [index]
                return _element(posterior, name, tuple(map(_label, parts)))
        shown = ast.unparse(node)
        raise SpecError(
            f"`{shown}` has no place in a contrast, which is made of parameters, numbers, "
            f"`+ - * / ^` and {listing(FUNCTIONS)}."
        )

    return value(tree)


def _label(node: ast.AST) -> str:
    """A part of an index as text: a number, a name, or text in quotes."""
    match node:
        case ast.Constant(value=int() | str() as label):
            return str(label)
        case ast.Name(id=name):
            return name
    raise SpecError(f"`{ast.unparse(node)}` is no index: give numbers, names, or text in quotes.")


def _element(posterior: xr.Dataset, name: str, index: tuple[str, ...]) -> xr.DataArray:
    """One element of a parameter, (chain, draw)."""
    if name not in posterior:
        hint = did_you_mean(name, list(map(str, posterior)))
        message = f"The posterior has no `{name}`; it has {listing(map(str, posterior))}."
        raise SpecError(Problem(message, hint=hint))
    values = posterior[name]
    dims = [d for d in values.dims if d not in ("chain", "draw")]
    if len(index) != len(dims):
        axes = f"[{', '.join(map(str, dims))}]" if dims else "no index"
        raise SpecError(f"`{name}` takes {axes}.")
    for dim, label in zip(dims, index, strict=True):
        labels = [str(v) for v in values[dim].values]
        if label not in labels:
            raise SpecError(f"`{name}` has no {label!r} along {dim}; it has {listing(labels)}.")
        values = values.isel({dim: labels.index(label)}, drop=True)
    return values
