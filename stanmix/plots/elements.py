"""Single numbers of a posterior, by the names that `Fit.summary` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from stanmix.diagnostics import element_names
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.judging.compared import Compared
from stanmix.judging.distances import apart

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
    chosen = asked(everything, variables, "posterior")
    return Elements({label: named[label] for label in chosen})


def elements_of_two(
    pair: Compared, variables: str | Iterable[str] | None, most: int, room: int = ROOM
) -> tuple[list[str], str]:
    """The elements of two sets of draws that are asked for, or the most distant ones.

    Parameters
    ----------
    pair
        The draws.
    variables
        Names of parameters, or of their elements.
    most
        Most elements where none are asked for.
    room
        Most elements that may be asked for.

    Returns
    -------
    tuple
        Their names, and what to say of those that are not shown; nothing where all are.

    Raises
    ------
    SpecError
        There is no such element; there are too many, or none.
    """
    if variables is None:
        every = list(map(str, apart(pair).index))
        left_out = f"The {most} most distant of {len(every)} elements" if len(every) > most else ""
        return every[:most], left_out
    everything: dict[str, list[str]] = {}
    for name in pair.reference.names:
        everything.setdefault(name.partition("[")[0], []).append(name)
    return asked(everything, variables, "comparison", room, pair.dropped), ""


def asked(
    everything: Mapping[str, Iterable[str]],
    variables: str | Iterable[str],
    what: str,
    room: int = ROOM,
    following: Sequence[str] = (),
) -> list[str]:
    """The labels of the elements that are asked for, in that order.

    Parameters
    ----------
    everything
        The labels of each parameter's elements.
    variables
        Names of parameters, or of their elements.
    what
        What has these parameters, in errors.
    room
        Most elements.
    following
        Labels of elements that are left out, since they follow from others.

    Raises
    ------
    SpecError
        There is no such element; there are too many, or none.
    """
    names = [variables] if isinstance(variables, str) else variables
    if not isinstance(names, Iterable):
        raise SpecError(f"`variables` holds names of parameters, and is not {variables!r}.")
    labels = [label for own in everything.values() for label in own]
    found: dict[str, None] = {}
    for name in names:
        if name in everything:
            found |= dict.fromkeys(everything[name])
        elif str(name) in labels:
            found[str(name)] = None
        else:
            hint = did_you_mean(str(name), [*everything, *labels])
            if name in following:
                hint = f"`{name}` follows from other elements, and is not looked at"
            message = f"The {what} has no `{name}`; it has {listing(everything)}."
            raise SpecError(Problem(message, hint=hint))
    if not found:
        raise SpecError("`variables` must name a parameter, or an element of one.")
    if len(found) > room:
        raise SpecError(
            f"`variables` name {len(found)} elements, and a picture has room for {room}."
        )
    return list(found)


def _left_out(
    everything: dict[str, dict[str, xr.DataArray]], varying: list[str], shown: list[str]
) -> str:
    if len(varying) == len(shown):
        return ""
    rest = [n for n, own in everything.items() if set(own) & (set(varying) - set(shown))]
    names = ", ".join(rest[:6]) + (", ..." if len(rest) > 6 else "")
    return f"The first {len(shown)} of {len(varying)} elements; left out are others of {names}"
