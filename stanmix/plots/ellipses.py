"""Components of several columns: where they lie, how wide they are, and ellipses around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from stanmix.errors import SpecError
from stanmix.questions.asking import THIN, flat, thinned
from stanmix.spec import Fixed, Response, Term

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

LEVEL = 0.9
"""Share of a component that its ellipse holds."""

KINDS = ("real", "positive", "unit", "count")
"""Columns of numbers on a line."""


@dataclass(frozen=True, eq=False)
class Component:
    """A component of several columns at some draws.

    Parameters
    ----------
    center
        Where it lies: (draw, column).
    matrix
        Its squared scales, and of columns that are not independent what they have in common: (draw,
        column, column).
    squared_radius
        The squared length, in units of `matrix`, of the points of its ellipse: (draw,).
    margins
        The distribution of each column, at all draws.
    """

    center: Array
    matrix: Array
    squared_radius: Array
    margins: tuple[Any, ...]

    @cached_property
    def shape(self) -> Array:
        """The matrix in whose units points of the ellipse have the length 1."""
        return self.matrix * self.squared_radius[:, None, None]

    def density(self, column: int, values: Array) -> Array:
        """The density, or probability, of values of a column: (value, draw)."""
        margin = self.margins[column]
        discrete = isinstance(margin.dist, stats.rv_discrete)
        return np.asarray((margin.pmf if discrete else margin.pdf)(values[:, None]))


def component(fit: Fit, k: int) -> Component:
    """Component `k`, from 0, over all columns of the response, at thinned draws.

    Raises
    ------
    SpecError
        A family has no mean and standard deviation that are known.
    """
    terms = fit.model.spec.component(k)
    posterior = thinned(fit, THIN)
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    drawn = flat(posterior)
    if fit.model.spec.response(terms[0].responses[0]).many:
        return _elliptical(terms[0], k, drawn, draws)
    by_response = {term.responses[0]: term for term in terms}
    ordered = [by_response[r.name] for r in fit.model.spec.responses]
    return _independent(fit.model.spec.responses, ordered, k, drawn, draws)


def _elliptical(term: Term, k: int, drawn: Mapping[str, Array], draws: int) -> Component:
    values = _values(term, k, drawn, draws)
    center, sigma = values["mu"], values["sigma"]
    sigma = np.broadcast_to(sigma.reshape(draws, -1), center.shape)
    corr = values.get("corr", np.eye(center.shape[1]))
    # Of a normal distribution; and of Student's t, which comes to the same where nu is large.
    squared_radius = np.full(draws, -2.0 * np.log1p(-LEVEL))
    margins: tuple[Any, ...]
    if "nu" in values:
        squared_radius = values["nu"] * np.expm1(squared_radius / values["nu"])
        margins = tuple(stats.t(values["nu"], m, s) for m, s in zip(center.T, sigma.T, strict=True))
    else:
        margins = tuple(stats.norm(m, s) for m, s in zip(center.T, sigma.T, strict=True))
    return Component(center, sigma[:, :, None] * sigma[:, None, :] * corr, squared_radius, margins)


def _independent(
    responses: Sequence[Response],
    terms: Sequence[Term],
    k: int,
    drawn: Mapping[str, Array],
    draws: int,
) -> Component:
    margins = tuple(t.declaration.reference(**_values(t, k, drawn, draws)) for t in terms)
    for response, term, margin in zip(responses, terms, margins, strict=True):
        known = isinstance(getattr(margin, "dist", None), stats.rv_continuous | stats.rv_discrete)
        if not known or not np.isfinite(margin.std()).all():
            raise SpecError(
                f"The mean and standard deviation of `{term.declaration.name}`, the family of "
                f"`{response.columns[0]}` in component {k + 1}, are not known, or not finite at "
                "some draws, so there is no ellipse to draw."
            )
    center = np.column_stack([np.broadcast_to(margin.mean(), draws) for margin in margins])
    sd = np.column_stack([np.broadcast_to(margin.std(), draws) for margin in margins])
    squared_radius = np.full(draws, -2.0 * np.log1p(-LEVEL))
    return Component(center, sd[:, :, None] ** 2 * np.eye(len(margins)), squared_radius, margins)


def _values(term: Term, k: int, drawn: Mapping[str, Array], draws: int) -> dict[str, Array]:
    """The parameters of a family in component `k`, by its own names: (draw, ...)."""
    values = {}
    for param, argument in zip(term.declaration.params, term.arguments, strict=True):
        if isinstance(argument, Fixed):
            values[param.name] = np.full(draws, argument.value)
        else:
            own = drawn[argument.parameter]
            values[param.name] = own[:, k] if argument.by_state else own
    return values


def outline(center: Array, shape: Array) -> pd.DataFrame:
    """Points all around an ellipse of two columns: `first` and `second`.

    Parameters
    ----------
    center
        (2,).
    shape
        (2, 2): points of the ellipse have the length 1 in its units.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    x, y = center[:, None] + np.linalg.cholesky(shape) @ circle
    return pd.DataFrame({"first": x, "second": y})


def outlines(
    components: Sequence[Component], columns: tuple[int, int], draws: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ellipses of components over two columns: of some draws, and of the posterior mean.

    Parameters
    ----------
    components
        The components, in their order.
    columns
        Places of the columns, from 0.
    draws
        About how many single draws.

    Returns
    -------
    tuple of DataFrame
        `first`, `second`, `path` (which ellipse) and `component` of points.
    """
    faint, bold = [], []
    for k, each in enumerate(components):
        center = each.center[:, columns]
        shape = each.shape[:, columns][:, :, columns]
        own = str(k + 1)
        step = max(1, len(center) // max(draws, 1))
        for s in range(0, len(center) if draws else 0, step):
            faint.append(outline(center[s], shape[s]).assign(path=f"{own}-{s}", component=own))
        bold.append(outline(center.mean(0), shape.mean(0)).assign(path=own, component=own))
    none = bold[0].iloc[:0]
    return pd.concat(faint) if faint else none, pd.concat(bold)
