"""Which families observe which columns, in every component."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stanmix.data import Table
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.families import Family, Param
from stanmix.language import tree
from stanmix.language.additions import Additions
from stanmix.language.options import Options


@dataclass(frozen=True)
class Piece:
    """A family on a column, or on several at once, in one component."""

    family: Family
    columns: tuple[str, ...]
    suffix: str
    fixed: Mapping[str, float]
    ordered: tuple[str, ...]
    call: tree.FamilyCall


def read_pieces(
    line: tree.ModelLine,
    options: Options,
    additions: Additions,
    table: Table,
    source: str,
    families: Mapping[str, Family],
) -> list[tuple[Piece, ...]]:
    """For each component the families that observe the response; a lone one is repeated.

    Raises
    ------
    SpecError
        Unknown families or parameters, values outside a parameter's bounds, or families that do
        not fit the columns.
    """
    columns = table.expand(tuple(name.text for name in line.response))
    if len(set(columns)) < len(columns):
        raise SpecError(Problem("A column stands twice in the response.", source, line.span))
    problems: list[Problem] = []
    components: list[tuple[Piece, ...]] = []
    for component in line.latent.components:
        pieces: list[Piece] = []
        calls = component.families
        if len(calls) > 1 and len(calls) != len(columns):
            message = f"`&` joins {len(calls)} families, but the response has {len(columns)} "
            message += "column." if len(columns) == 1 else "columns."
            problems.append(Problem(message, source, component.span))
            continue
        suffixes = _suffixes(columns)
        for family, own, call in _spread(calls, columns, options.cov, families):
            if isinstance(family, Problem):
                problems.append(replace(family, source=source))
                continue
            found = list(_family_problems(family, call, additions, columns, own, families))
            problems.extend(replace(p, source=source) for p in found)
            if not found:
                suffix = suffixes[own[0]] if len(columns) > 1 and len(own) == 1 else ""
                fixed, ordered = _settings(call)
                pieces.append(Piece(family, own, suffix, fixed, ordered, call))
        components.append(tuple(pieces))
    if problems:
        raise SpecError(*_distinct(problems))
    problems = list(_unused_additions(line, components, families))
    if (
        options.cov_span
        and not any(p.family.cov for c in components for p in c)
        and len(columns) > 1
    ):
        with_cov = dict.fromkeys(f.name for f in families.values() if f.cov)
        message = f"`cov` needs a family with a covariance: {listing(with_cov)}."
        problems.append(Problem(message, None, options.cov_span))
    if problems:
        raise SpecError(*(replace(p, source=source) for p in problems))
    return components * options.K if len(components) == 1 else components


def _distinct(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _spread(
    calls: Sequence[tree.FamilyCall],
    columns: tuple[str, ...],
    cov: str,
    families: Mapping[str, Family],
) -> Iterator[tuple[Family | Problem, tuple[str, ...], tree.FamilyCall]]:
    """The family of each column; one of vectors takes all columns at once."""
    if len(calls) > 1:
        for call, column in zip(calls, columns, strict=True):
            yield _family(call, families), (column,), call
        return
    call = calls[0]
    name = call.name.text
    together = families.get(f"{name}[{cov}]", families.get(name))
    if len(columns) > 1 and together is not None and together.response[0].many:
        yield together, columns, call
    else:
        for column in columns:
            yield _family(call, families), (column,), call


def _family(call: tree.FamilyCall, families: Mapping[str, Family]) -> Family | Problem:
    name = call.name.text
    names = list(dict.fromkeys(f.name for f in families.values()))
    if name in names:
        return families[name]
    return Problem(
        f"Unknown family `{name}`; must be one of {listing(names, most=60)}.",
        None,
        call.name.span,
        did_you_mean(_ELSEWHERE.get(name.lower(), name), names),
    )


_ELSEWHERE = {
    "gaussian": "normal",
    "norm": "normal",
    "t": "student",
    "student_t": "student",
    "double_exponential": "laplace",
    "exgauss": "exgaussian",
    "fisk": "loglogistic",
    "inverse_gaussian": "wald",
    "invgauss": "wald",
    "neg_binomial": "negbinomial",
    "nbinom": "negbinomial",
}
"""What other packages call some families."""


def _settings(call: tree.FamilyCall) -> tuple[dict[str, float], tuple[str, ...]]:
    fixed, ordered = {}, []
    for argument in call.arguments:
        if argument.name.text == "order" and isinstance(argument.value, tree.Name):
            ordered.append(argument.value.text)
        elif isinstance(argument.value, tree.Number):
            fixed[argument.name.text] = float(argument.value.value)
    return fixed, tuple(ordered)


def _family_problems(
    family: Family,
    call: tree.FamilyCall,
    additions: Additions,
    columns: tuple[str, ...],
    own: tuple[str, ...],
    families: Mapping[str, Family],
) -> Iterator[Problem]:
    """What is wrong with a family call on its `own` columns of a response."""
    names = [p.name for p in family.params]
    for argument in call.arguments:
        name, value = argument.name.text, argument.value
        if name == "order":
            yield from _inner_order_problems(family, value)
        elif name not in names:
            message = f"`{family.name}` has no parameter `{name}`; it has {listing(names)}."
            yield Problem(message, None, argument.name.span, did_you_mean(name, names))
        elif not isinstance(value, tree.Number):
            message = f"`{name}` can only be fixed at a number here."
            yield Problem(message, None, value.span)
        else:
            param = family.param(name)
            if param.axes:
                message = f"`{name}` is not a single number, so it cannot be fixed at one."
                yield Problem(message, None, argument.span)
            elif not _inside(param, value.value):
                yield Problem(f"`{name}` must be {_range(param)}.", None, value.span)
    fixed = [a.name.text for a in call.arguments]
    for name in {n for n in fixed if fixed.count(n) > 1}:
        yield Problem(f"`{name}` is given twice.", None, call.span)
    if family.response[0].many and len(own) == 1:
        message = f"`{family.name}` needs a response of several columns, which it takes together."
        yield Problem(
            message, None, call.name.span, f"write `cbind(a, b) ~ mix({family.name}, ..)`"
        )
    for column in family.response:
        if column.addition and not column.optional and column.addition not in additions.names:
            yield Problem(
                f"`{family.name}` needs `{column.addition}(..)` on the left side.",
                None,
                call.name.span,
                f"add `| {column.addition}(..)` after the response",
            )
        elif column.kind == "choice" and column.addition in additions.names and len(columns) > 1:
            message = f"`{family.name}` with a choice needs a response of one column."
            yield Problem(message, None, call.name.span)
    # A density of the response alone is none of response and choice.
    if "dec" in additions.names and all(c.kind != "choice" for c in family.response):
        would = listing(_users("dec", families))
        message = f"`{family.name}` says nothing of the choice; {would} would."
        yield Problem(message, None, call.name.span)


def _inner_order_problems(family: Family, value: tree.Value) -> Iterator[Problem]:
    vectors = [p.name for p in family.params if p.axes == ("accumulator",)]
    increasing = [p.name for p in family.params if p.increasing]
    if isinstance(value, tree.Name) and value.text in increasing:
        yield Problem(f"`{value.text}` increases already.", None, value.span)
    elif not isinstance(value, tree.Name) or value.text not in vectors:
        have = f"it has {listing(vectors)}" if vectors else "it has none"
        message = f"`order` inside a family names one of its vectors; {have}."
        yield Problem(message, None, value.span)


def _inside(param: Param, value: float) -> bool:
    if param.closed and value in (param.lower, param.upper):
        return True
    return (param.lower is None or value > param.lower) and (
        param.upper is None or value < param.upper
    )


def _range(param: Param) -> str:
    if param.closed and param.upper is None:
        return f"at least {param.lower:g}"
    if param.lower is not None and param.upper is not None:
        return f"between {param.lower:g} and {param.upper:g}"
    return f"above {param.lower:g}" if param.lower is not None else f"below {param.upper:g}"


def _unused_additions(
    line: tree.ModelLine,
    components: Sequence[Sequence[Piece]],
    families: Mapping[str, Family],
) -> Iterator[Problem]:
    """`dec(..)` or `trials(..)` that no family looks at."""
    used = {c.addition for pieces in components for p in pieces for c in p.family.response}
    for addition in line.additions:
        name = addition.name.text
        if name in ("dec", "trials") and name not in used:
            would = listing(_users(name, families))
            message = f"No family here uses `{name}(..)`; {would} would."
            yield Problem(message, None, addition.span)


def _users(addition: str, families: Mapping[str, Family]) -> list[str]:
    """The families that look at an addition."""
    return [f.name for f in families.values() if any(c.addition == addition for c in f.response)]


def plain_name(column: str) -> str:
    """A column's name as Stan accepts it inside a longer one."""
    return re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_") or "column"


def _suffixes(columns: Sequence[str]) -> dict[str, str]:
    """A name for each column that Stan accepts inside a longer name, all different."""
    suffixes: dict[str, str] = {}
    for column in columns:
        plain = plain_name(column)
        candidate, number = plain, 2
        while candidate in suffixes.values():
            candidate, number = f"{plain}_{number}", number + 1
        suffixes[column] = candidate
    return suffixes
