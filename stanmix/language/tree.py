"""The syntax tree: the shape of a formula, each node with its place in the text.

A span is where a node stands in the text; two nodes that differ in nothing else are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from stanmix.errors import Span


@dataclass(frozen=True)
class Name:
    """A column, parameter, family, function, option, or bare word."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Number:
    """A number; whole numbers are kept as `int`. In a term it has no sign (see `Unary`)."""

    value: int | float
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Text:
    """Text in quotes, without them."""

    value: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Index:
    """One part of a parameter: `mu[waiting]`, `mu[2]`."""

    name: Name
    index: Name | Number
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class At:
    """A parameter at given covariates: `mu(x=0)`."""

    name: Name
    settings: tuple[tuple[str, Number], ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Slope:
    """A coefficient of a parameter: `mu:x`."""

    name: Name
    term: Name
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Many:
    """Several values: `c(a, b)`."""

    items: tuple[Single, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Addition:
    """What a column is, besides the response: `dec(choice)`, `trunc(0, 10)`, `trunc(lb=0)`."""

    name: Name
    args: tuple[Name | Number | Argument, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Argument:
    """An option of `mix` or `hmm`, or an argument of a family: `K=3`."""

    name: Name
    value: Value
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class FamilyCall:
    """A family, with its arguments if any: `normal`, `normal(sigma=1)`."""

    name: Name
    arguments: tuple[Argument, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Component:
    """One component: a family, or a family for each column, joined by `&`."""

    families: tuple[FamilyCall, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Latent:
    """A `mix(..)` or `hmm(..)` call."""

    kind: Name
    components: tuple[Component, ...]
    options: tuple[Argument, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class ModelLine:
    """The first line: response, additions, and the latent structure."""

    response: tuple[Name, ...]
    additions: tuple[Addition, ...]
    latent: Latent
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Unary:
    """A sign, `+` or `-`, before a term."""

    op: str
    operand: Term
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Binary:
    """Two terms joined by `+ - * / :` or `^`; `**` is read as `^`."""

    op: str
    left: Term
    right: Term
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Keyword:
    """A named argument of a function: `degree=2`."""

    name: Name
    value: Term | Text
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Call:
    """A function of columns: `poly(x, degree=2)`. Inside, operators mean arithmetic."""

    function: Name
    args: tuple[Term | Text, ...]
    keywords: tuple[Keyword, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Group:
    """Group-level terms: `(1 + x | g)`, or `(1 + x || g)` without correlations."""

    terms: Term
    by: Name
    correlated: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class ParameterLine:
    """The terms of a parameter, or of one part of it: `mu ~ x`, `mu[2] ~ x`."""

    parameter: Name
    index: Name | Number | None
    terms: Term
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Formula:
    """A whole formula, with its text as it was given."""

    model: ModelLine
    lines: tuple[ParameterLine, ...]
    text: str = field(compare=False)


Single: TypeAlias = Name | Number | Text | Index | At | Slope
Value: TypeAlias = Single | Many
Term: TypeAlias = Name | Number | Unary | Binary | Call | Group
