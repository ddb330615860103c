"""Censored and truncated responses in a program: what it is given of them, and their likelihood.

A response is seen exactly, or is known to be at most, above, or between something; rows of each
kind have a function of the family. What truncation leaves out is taken off all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.data import WHOLE, Table
from stanmix.limits import read_limits
from stanmix.program.rows import Rows
from stanmix.spec import Response

Density = Callable[[str, str, str], str]
"""From a function of a family, a response and the rows of its parameters to the call of it."""


def _kinds(response: Response) -> dict[str, str]:
    """How rows may be known, in the order of `stanmix.limits`, and what that means."""
    name, known = response.name, response.censored
    if known is None:
        return {}
    kinds = {
        "exact": f"{name} is what it is",
        "left": f"it is at most {name}",
        "right": f"it is above {name}",
    }
    return kinds | ({"interval": f"it is above {name}, up to end_{name}"} if known.end else {})


def _bounds(response: Response) -> dict[str, float | str]:
    """The bounds of truncation: numbers, or columns."""
    seen = response.truncated
    bounds = {} if seen is None else {"below": seen.lower, "upper": seen.upper}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def declared(response: Response) -> Iterator[tuple[str, str, str]]:
    """What a program is given: type, name and comment of each."""
    name = response.name
    number, by_row = ("int", "array[N] int") if response.kind in WHOLE else ("real", "vector[N]")
    for kind, meaning in _kinds(response).items():
        yield "int<lower=0>", f"N_{kind}_{name}", f"rows where {meaning}"
        yield f"array[N_{kind}_{name}] int<lower=1, upper=N>", f"{kind}_{name}", ""
    if response.censored is not None and response.censored.end:
        yield by_row, f"end_{name}", response.censored.end
    for bound, value in _bounds(response).items():
        where = "above this" if bound == "below" else "up to this"
        own = by_row if isinstance(value, str) else number
        yield own, f"{bound}_{name}", f"{name} is only seen {where}"


def values(response: Response, seen: NDArray[np.bool_], table: Table, rows: Rows) -> dict[str, Any]:
    """The same in some data; `seen` says which rows, as arranged, have a response.

    Raises
    ------
    DataError
        As of `stanmix.limits.read_limits`.
    """
    if not response.is_limited:
        return {}
    name, limits, data = response.name, read_limits(response, table), dict[str, Any]()
    for code, kind in enumerate(_kinds(response)):
        places = np.flatnonzero(seen & (limits.how[rows.order] == code))
        data |= {f"N_{kind}_{name}": len(places), f"{kind}_{name}": places + 1}
    given: dict[str, Any] = {}
    if response.censored is not None and response.censored.end:
        given["end"] = np.where(seen, limits.ends[rows.order], 0.0)
    for bound, value in _bounds(response).items():
        by_row = limits.below if bound == "below" else limits.upper
        given[bound] = by_row[rows.order] if isinstance(value, str) else by_row[0]
    of = np.int64 if response.kind in WHOLE else np.float64
    return data | {f"{own}_{name}": np.asarray(value, dtype=of) for own, value in given.items()}


def likelihood(response: Response, density: Density, *, varies: bool) -> str:
    """The log density of every row.

    Parameters
    ----------
    response
        A response of one column.
    density
        What calls the functions of its family.
    varies
        Whether its distribution differs by row.
    """
    name = response.name
    seen = f"rows_{name}" if response.missing else ""
    kinds = _kinds(response) or {"": ""}
    summands: list[str] = []
    for kind in kinds:
        rows = f"{kind}_{name}" if kind else seen
        limits = {bound: _bound(response, bound, rows) for bound in ("below", "upper")}
        value = in_rows(name, rows)
        if kind in ("", "exact"):
            call = density("log_omega", value, rows)
        elif kind == "left":
            call = _between(limits["below"], value, rows, density)
        elif kind == "right":
            call = _between(value, limits["upper"], rows, density)
        else:
            call = _between(value, in_rows(f"end_{name}", rows), rows, density)
        call = f"at_rows({call}, {rows}, N)" if rows else call
        summands.append(call)
    whole = "\n+ ".join(summands)
    bounds = _bounds(response)
    if not bounds:
        return whole
    by_row = varies or bool(seen) or any(isinstance(bound, str) for bound in bounds.values())
    ends = [_bound(response, bound, seen, same=not by_row) for bound in ("below", "upper")]
    call = _between(ends[0], ends[1], seen, density)
    call = call if by_row else f"{call}[1]"
    call = f"at_rows({call}, {seen}, N)" if seen else call
    return f"given_seen(\n{indent(f'{whole},', '  ')}\n{indent(call, '  ')})"


def in_rows(name: str, rows: str, *, many: bool = False) -> str:
    """A variable in some rows, the columns of a matrix; in all where none are named."""
    if not rows:
        return name
    return f"{name}[, {rows}]" if many else f"{name}[{rows}]"


def _bound(response: Response, which: str, rows: str, *, same: bool = False) -> str:
    """A bound of truncation in some rows, or `same` once for all; empty if there is none."""
    bounds, name = _bounds(response), f"{which}_{response.name}"
    if which not in bounds:
        return ""
    if isinstance(bounds[which], str):
        return in_rows(name, rows)
    whole = response.kind in WHOLE
    if same:
        return f"{{{name}}}" if whole else f"[{name}]'"
    count = f"N_{rows.removeprefix('rows_')}" if rows else "N"
    return f"rep_{'array' if whole else 'vector'}({name}, {count})"


def _between(low: str, high: str, rows: str, density: Density) -> str:
    """The log probability of lying above `low` and up to `high`, of which one may be empty."""
    if not low:
        return density("log_cumulative", high, rows)
    if not high:
        return density("log_survival", low, rows)
    calls = [
        density(function, value, rows)
        for function in ("log_cumulative", "log_survival")
        for value in (low, high)
    ]
    return "log_between(\n  " + ",\n  ".join(calls) + ")"
