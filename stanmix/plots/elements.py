"""Single numbers of a posterior, by the names that `Fit.summary` gives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from stanmix.diagnostics import element_names
from stanmix.errors import Problem, SpecError, did_you_mean, listing

MOST = 12
"""Most elements that are shown where none are asked for."""

ROOM = 60
"""Most elements that may be asked for."""


@dataclass(frozen=True, eq=False)
class Elements:
    """Some elements of a posterior.

    Parameters
    ----------
    values
        By name: (chain, draw).
    left_out
        What to say of those that are not shown; nothing where all are.
    """

    values: dict[str, xr.DataArray]
    left_out: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """`element`, `chain` (from 1), `draw` (from 1) and `value` of each."""
        parts = []
        for name, drawn in self.values.items():
            frame = drawn.to_dataframe(name="value").reset_index()[["chain", "draw", "value"]]
            chain = frame["chain"].astype(str)
            draw = frame["draw"].rank(method="dense").astype(int)
            parts.append(frame.assign(element=name, chain=chain, draw=draw))
        table = pd.concat(parts, ignore_index=True)
        table["element"] = pd.Categorical(table["element"], list(self.values))
        return table


def elements(posterior: xr.Dataset, variables: str | Iterable[str] | None) -> Elements:
    """The elements that are asked for, or the first ones that vary.

    Parameters
    ----------
    posterior
        (chain, draw, ...) each.
    variables
        Names of parameters, or of their elements as `Fit.summary` has them.

    Raises
    ------
    SpecError
        There is no such element; there are too many, or none.
    """
    everything = {
        str(name): {label: values[(..., *place)] for label, place in element_names(values).items()}
        for name, values in posterior.transpose("chain", "draw", ...).items()
    }
    named = {label: own for values in everything.values() for label, own in values.items()}
    if variables is None:
        # Moves that are not allowed, and what follows from the others by definition, never vary.
        varying = {label: own for label, own in named.items() if float(own.std()) > 0}
        shown = dict(list(varying.items())[:MOST])
        return Elements(shown, _left_out(everything, list(varying), list(shown)))
    asked = [variables] if isinstance(variables, str) else variables
    if not isinstance(asked, Iterable):
        raise SpecError(f"`variables` holds names of parameters, and is not {variables!r}.")
    found: dict[str, xr.DataArray] = {}
    for name in asked:
        if name in everything:
            found |= everything[name]
        elif str(name) in named:
            found[str(name)] = named[str(name)]
        else:
            hint = did_you_mean(str(name), [*everything, *named])
            message = f"The posterior has no `{name}`; it has {listing(everything)}."
            raise SpecError(Problem(message, hint=hint))
    if not found:
        raise SpecError("`variables` must name a parameter, or an element of one.")
    if len(found) > ROOM:
        raise SpecError(
            f"`variables` name {len(found)} elements, and a picture has room for {ROOM}."
        )
    return Elements(found)


def _left_out(
    everything: dict[str, dict[str, xr.DataArray]], varying: list[str], shown: list[str]
) -> str:
    if len(varying) == len(shown):
        return ""
    rest = [n for n, own in everything.items() if set(own) & (set(varying) - set(shown))]
    names = ", ".join(rest[:6]) + (", ..." if len(rest) > 6 else "")
    return f"The first {len(shown)} of {len(varying)} elements; left out are others of {names}"
