"""The prior language: Stan-like calls, and what they are priors of.

A prior's text is data. Only numbers and arithmetic pass; what reaches the program is written anew
from what was understood.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stanmix.errors import FormulaError, Problem, Span, SpecError, did_you_mean, listing, plural
from stanmix.language.tokens import Token, tokenize
from stanmix.priors import (
    CIRCULAR,
    CORRELATION,
    DISTRIBUTIONS,
    SHRINKING,
    SIMPLEX,
    Prior,
    PriorArgument,
    Value,
    literal,
)

MAX_LENGTH = 1000
"""Most characters of a prior."""

_FUNCTIONS: Mapping[str, Callable[[Value], Value]] = {
    "log": lambda v: _each(math.log, v),
    "sqrt": lambda v: _each(math.sqrt, v),
    "mean": lambda v: sum(parts(v)) / len(parts(v)),
}


def parse_prior(text: str, names: Mapping[str, Value] | None = None) -> Prior:
    """The prior that `text` calls for.

    Parameters
    ----------
    text
        A call such as `normal(0, 5)`; or `flat`.
    names
        Constants that the arguments may name, with their values: those of default priors.

    Returns
    -------
    Prior
        The distribution and its arguments, worked out.

    Raises
    ------
    SpecError
        It is not a call of a known distribution with the right arguments.

    Examples
    --------
    >>> str(parse_prior("normal(0, 2 * 2.5)"))
    'normal(0, 5)'
    """
    if not isinstance(text, str):
        raise SpecError(f"A prior is text such as 'normal(0, 5)', not {type(text).__name__}.")
    return _Reader(text, names or {}).prior()


@dataclass(frozen=True)
class Target:
    """What a prior is a prior of: `mu`, `mu[1]`, `mu[1, waiting]`, `diff(mu)`."""

    name: str
    index: tuple[int | str, ...]
    increments: bool
    text: str


def parse_target(text: str) -> Target:
    """What the key `text` of a mapping of priors means.

    Raises
    ------
    SpecError
        It is not a name, an indexed name, or `diff(name)`.

    Examples
    --------
    >>> parse_target("mu[2]").index
    (2,)
    """
    if not isinstance(text, str):
        raise SpecError(
            f"Priors are keyed by parameter names such as 'mu', not {type(text).__name__}."
        )
    return _Reader(text, {}).target()


class _Reader:
    """Recursive descent over the tokens of one prior or one key."""

    def __init__(self, text: str, names: Mapping[str, Value]) -> None:
        self.text = text
        self.names = names
        if len(text) > MAX_LENGTH:
            raise SpecError(f"A prior may have {MAX_LENGTH} characters; this has {len(text)}.")
        try:
            self.tokens = tokenize(text)
        except FormulaError as error:
            # Hints of the tokenizer speak of formulas.
            raise SpecError(*(replace(p, hint=None) for p in error.problems)) from None
        self.place = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> bool:
        """Step over the next token if it is one of `texts`."""
        if self.next.kind in ("symbol", "name") and self.next.text in texts:
            self.place += 1
            return True
        return False

    def error(self, message: str, span: Span | None = None, hint: str | None = None) -> SpecError:
        return SpecError(Problem(message, self.text, span or self.next.span, hint))

    def expect(self, text: str) -> Token:
        token = self.next
        if not self.take(text):
            raise self.error(f"Expected `{text}` here.")
        return token

    def require_end(self) -> None:
        if self.next.kind != "end" or self.place != len(self.tokens) - 1:
            raise self.error("Expected nothing more here.")

    def target(self) -> Target:
        increments = self.next.text == "diff" and self.tokens[self.place + 1].text == "("
        if increments:
            self.place += 2
        token = self.next
        if token.kind != "name":
            raise self.error("Expected the name of a parameter here.")
        self.place += 1
        index: list[int | str] = []
        if not increments and self.take("["):
            while True:
                part = self.next
                if part.kind == "number" and part.text.isdecimal():
                    index.append(int(part.text))
                elif part.kind in ("name", "text"):
                    index.append(part.text.strip("`'\""))
                else:
                    raise self.error("Expected an index such as 1 here.")
                self.place += 1
                if not self.take(","):
                    break
            self.expect("]")
        if increments:
            self.expect(")")
        self.require_end()
        return Target(token.text, tuple(index), increments, self.text)

    def prior(self) -> Prior:
        token = self.next
        known = [*DISTRIBUTIONS, *SIMPLEX[:-1], *CORRELATION[:-1], *CIRCULAR[:-1], *SHRINKING]
        if token.kind != "name":
            raise self.error("Expected a prior such as `normal(0, 5)` here.")
        if token.text not in known:
            raise self.error(
                f"Unknown prior `{token.text}`; must be one of {listing(known, most=20)}.",
                token.span,
                did_you_mean(token.text, known),
            )
        self.place += 1
        arguments: list[tuple[PriorArgument, Span]] = []
        if self.take("("):
            while not self.take(")"):
                if arguments:
                    self.expect(",")
                start = self.next.span
                text, value, named = self.sum()
                if not all(math.isfinite(v) for v in parts(value)):
                    raise self.error("This is not a finite number.", start)
                if not named:
                    text = literal(value)
                arguments.append((PriorArgument(text, value), start))
        self.require_end()
        self.require_arguments(token, arguments)
        return Prior(token.text, tuple(a for a, _ in arguments))

    def require_arguments(self, name: Token, arguments: list[tuple[PriorArgument, Span]]) -> None:
        count = len(arguments)
        if name.text in DISTRIBUTIONS:
            wanted = DISTRIBUTIONS[name.text].arguments
            if count != len(wanted):
                shown = ", ".join(w.rstrip("*") for w in wanted)
                raise self.error(
                    f"`{name.text}` takes {plural(len(wanted))} ({shown}), not {count}."
                    if wanted
                    else f"`{name.text}` takes no arguments, not {count}.",
                    name.span,
                )
            positive = [w.endswith("*") for w in wanted]
        else:
            allowed = {
                "sticky": (2,),
                "von_mises": (2,),
                "lkj": (1, 2),
                "horseshoe": (1, 2, 3, 4),
                "dirichlet": range(1, MAX_LENGTH),
            }[name.text]
            if count not in allowed:
                takes = {"lkj": "1 or 2 arguments", "horseshoe": "1 to 4 arguments"}.get(
                    name.text, plural(min(allowed)) + ("" if len(allowed) == 1 else " or more")
                )
                raise self.error(f"`{name.text}` takes {takes}, not {count}.", name.span)
            positive = [name.text != "von_mises"] + [True] * (count - 1)
        for (argument, span), must in zip(arguments, positive, strict=True):
            if must and min(parts(argument.value)) <= 0:
                raise self.error(f"This argument of `{name.text}` must be positive.", span)
        if name.text == "horseshoe":
            for argument, span in arguments[:3]:
                if isinstance(argument.value, tuple):
                    raise self.error("This argument of `horseshoe` is a number.", span)
        if name.text == "uniform":
            for argument, span in arguments:
                if isinstance(argument.value, tuple):
                    raise self.error("An end of `uniform` is a number, not a vector.", span)
            low, high = (parts(a.value)[0] for a, _ in arguments)
            if low >= high:
                raise self.error("`uniform` needs a lower end below its upper end.", name.span)

    # Arithmetic gives (text, value, whether a constant is named in it).

    def sum(self) -> tuple[str, Value, bool]:
        result = self.product()
        while (sign := self.next.text) in ("+", "-") and self.take("+", "-"):
            result = self.combine(sign, result, self.product())
        return result

    def product(self) -> tuple[str, Value, bool]:
        result = self.atom()
        while (sign := self.next.text) in ("*", "/") and self.take("*", "/"):
            result = self.combine(sign, result, self.atom())
        return result

    def combine(
        self, sign: str, left: tuple[str, Value, bool], right: tuple[str, Value, bool]
    ) -> tuple[str, Value, bool]:
        operation = {
            "+": operator.add,
            "-": operator.sub,
            "*": operator.mul,
            "/": operator.truediv,
        }[sign]
        shapes = {np.shape(side[1]) for side in (left, right) if isinstance(side[1], tuple)}
        if len(shapes) > 1:
            raise self.error("These have different lengths.", self.tokens[self.place - 1].span)
        try:
            value = _both(operation, left[1], right[1])
        except (ZeroDivisionError, OverflowError):
            raise self.error(
                "This has no finite value.", self.tokens[self.place - 1].span
            ) from None
        # Between a number and a vector Stan's `/` divides elementwise only as `./`.
        elementwise = sign == "/" and isinstance(right[1], tuple)
        return f"{left[0]} {'./' if elementwise else sign} {right[0]}", value, left[2] or right[2]

    def atom(self) -> tuple[str, Value, bool]:
        token = self.next
        if self.take("-"):
            text, value, named = self.atom()
            return f"-{text}", _each(operator.neg, value), named
        if self.take("+"):
            return self.atom()
        if self.take("("):
            text, value, named = self.sum()
            self.expect(")")
            return f"({text})", value, named
        if self.take("["):
            return self.vector(token)
        if token.kind == "number":
            self.place += 1
            return token.text, float(token.text), False
        if token.kind == "name" and token.text in _FUNCTIONS:
            self.place += 1
            self.expect("(")
            text, value, named = self.sum()
            self.expect(")")
            try:
                return f"{token.text}({text})", _FUNCTIONS[token.text](value), named
            except ValueError:
                raise self.error(f"`{token.text}` has no value here.", token.span) from None
        if token.kind == "name" and token.text in self.names:
            self.place += 1
            return token.text, self.names[token.text], True
        raise self.error("Expected a number here.")

    def vector(self, start: Token) -> tuple[str, Value, bool]:
        """Numbers in brackets, one a column; or vectors of as many terms, one a column."""
        values: list[Any] = []
        while not values or self.take(","):
            _, value, _ = self.sum()
            values.append(value)
        if len({np.shape(value) for value in values}) > 1 or np.ndim(values[0]) > 1:
            message = "A vector of a prior holds numbers, or vectors of as many numbers each."
            raise self.error(message, start.span)
        self.expect("]")
        return literal(tuple(values)), tuple(values), False


def parts(value: Value) -> tuple[float, ...]:
    """The numbers of a value, of which a vector has several."""
    return tuple(map(float, np.ravel(value)))


def _each(function: Callable[[float], float], value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_each(function, v) for v in value)
    return function(value)


def _both(function: Callable[[float, float], float], left: Any, right: Any) -> Any:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return tuple(_both(function, a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, tuple):
        return tuple(_both(function, v, right) for v in left)
    if isinstance(right, tuple):
        return tuple(_both(function, left, v) for v in right)
    return function(left, right)
