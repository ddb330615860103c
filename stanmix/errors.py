"""The error tree, the caret frame, and "did you mean".

A `Problem` is data: what is wrong, where, and at most one thing to do. A stage collects the
problems it finds and raises them together, so that a user mends a formula in one go.
"""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

FRAME_WIDTH = 88
"""Longest piece of a source line shown above the carets."""


@dataclass(frozen=True)
class Span:
    """A piece of a source text: characters `start` up to, not including, `end`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.start, other.end)


@dataclass(frozen=True)
class Problem:
    """One mistake: a sentence, the place in a text where it is, and one thing to do.

    Parameters
    ----------
    message
        What is wrong, as a sentence. Names of the user's own things stand in backticks.
    source, span
        The text (formula or prior) that holds the mistake, and the place in it.
    hint
        What to do about it; at most one thing.
    """

    message: str
    source: str | None = None
    span: Span | None = None
    hint: str | None = None

    def __str__(self) -> str:
        parts = [self.message]
        if self.source is not None and self.span is not None:
            parts.append("\n" + frame(self.source, self.span))
        if self.hint is not None:
            parts.append(f"Hint: {self.hint}")
        return "\n".join(parts)


class StanmixError(Exception):
    """Anything stanmix refuses or fails at.

    Parameters
    ----------
    *problems
        The mistakes, in the order in which they stand; a plain string is a problem without a place.

    Attributes
    ----------
    problems : tuple of Problem
    """

    def __init__(self, *problems: Problem | str) -> None:
        if not problems:
            raise TypeError("an error needs at least one problem")
        self.problems = tuple(p if isinstance(p, Problem) else Problem(p) for p in problems)
        super().__init__(*self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        numbered = (f"{i}. {problem}" for i, problem in enumerate(self.problems, 1))
        return f"{len(self.problems)} problems.\n\n" + "\n\n".join(numbered)


class FormulaError(StanmixError, ValueError):
    """The formula is not in the language."""


class SpecError(StanmixError, ValueError):
    """The formula or the priors do not describe a model that can be built."""


class DataError(StanmixError, ValueError):
    """The data do not fit the model."""


class EngineError(StanmixError, RuntimeError):
    """A Stan engine is missing, or failed to compile a program."""


class SamplingError(StanmixError, RuntimeError):
    """An engine failed while sampling."""


class StanmixWarning(UserWarning):
    """Base of the warnings stanmix gives."""


class IdentifiabilityWarning(StanmixWarning):
    """The model, as given, may not be identified, or its posterior may be improper."""


class ConvergenceWarning(StanmixWarning):
    """The draws do not yet represent the posterior."""


def warn(message: str, category: type[StanmixWarning]) -> None:
    """Give a warning at the line outside stanmix that led to it."""
    level, caller = 1, inspect.currentframe()
    while caller is not None and caller.f_globals.get("__name__", "").startswith("stanmix."):
        level, caller = level + 1, caller.f_back
    warnings.warn(message, category, stacklevel=level)


def frame(source: str, span: Span) -> str:
    """The line of `source` where `span` starts, indented, with carets under the span.

    A long line is cut around the span; control characters are shown as spaces, so that the carets
    stand where they should.
    """
    start = min(max(span.start, 0), len(source))
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", start)
    line_end = len(source) if line_end < 0 else line_end
    end = min(max(span.end, start + 1), max(line_end, start + 1))

    low, high = line_start, line_end
    if high - low > FRAME_WIDTH:
        low = max(line_start, start - FRAME_WIDTH // 3)
        high = min(line_end, low + FRAME_WIDTH)
    before = "..." if low > line_start else ""
    after = "..." if high < line_end else ""
    text = "".join(c if c.isprintable() else " " for c in source[low:high])
    carets = "^" * max(1, min(end, max(high, start + 1)) - start)
    return f"    {before}{text}{after}\n    {' ' * (len(before) + start - low)}{carets}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word closest to `word`, or None if none is close.

    Examples
    --------
    >>> did_you_mean("norml", ["normal", "poisson"])
    'did you mean `normal`?'
    """
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word[:100].lower(), list(names), n=1, cutoff=0.6)
    return f"did you mean `{names[close[0]]}`?" if close else None


def listing(words: Iterable[str], *, most: int = 12) -> str:
    """Names in backticks, separated by commas; after `most` of them, three dots.

    Examples
    --------
    >>> listing(["a", "b"])
    '`a`, `b`'
    """
    names = list(words)
    shown = ", ".join(f"`{w}`" for w in names[:most])
    return shown + ", ..." if len(names) > most else shown


def plural(count: int, noun: str = "argument") -> str:
    """A count with its noun."""
    plural = "indices" if noun == "index" else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def percent(share: float) -> str:
    """A share of all in percent: little is not nothing, and most is not all.

    Examples
    --------
    >>> percent(0.372), percent(2e-5), percent(0), percent(0.9999)
    ('37.2%', '<0.1%', '0.0%', '>99.9%')
    """
    if 0.0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1.0 else f"{share:.1%}"


def require_one_of(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise SpecError if an option is none of the words that it may be.

    Examples
    --------
    >>> require_one_of("kind", "forecast", ["ordinary", "forecast"])
    """
    words = list(allowed)
    if not isinstance(value, str):
        raise SpecError(f"`{name}` is one of {listing(words)}, not {type(value).__name__}.")
    if value not in words:
        raise SpecError(f"`{name}` is one of {listing(words)}, not {value!r}.")


def require_count(
    name: str, value: object, least: int, most: int | None = None, *, what: str = ""
) -> None:
    """Raise SpecError if an option is no whole number within bounds.

    Parameters
    ----------
    name, value
        The option.
    least, most
        The bounds; no upper one if not given.
    what
        Said after the bounds.

    Examples
    --------
    >>> require_count("draws", 400, 1)
    """
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least} on" if most is None else f"from {least} to {most}"
        shown = f"{value!r}" if isinstance(value, int | float | str) else type(value).__name__
        raise SpecError(f"`{name}` must be a whole number {bounds}{what}, not {shown}.")
