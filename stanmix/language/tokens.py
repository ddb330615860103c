"""From formula text to tokens, each with its place in the text, and a cursor to walk over them.

Brackets are paired here and not in the parser: a newline ends a line only outside brackets, and an
unpaired bracket is best reported at the bracket itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from stanmix.errors import FormulaError, Problem, Span

MAX_DEPTH = 50
"""Most brackets that may be open at once."""

CONTINUE = "a line goes on after a newline only inside brackets"
"""The hint where a line may have been broken too early."""

Kind = Literal["name", "number", "text", "symbol", "end"]

_Item = TypeVar("_Item")

_CLOSED_BY = {"(": ")", "[": "]"}
_SYMBOLS = ("**", "||", *"~|+-*/:^()[],=&")
_QUOTES = {'"': "quote", "'": "quote", "`": "backtick"}
_BLANK = " \t\r\u00a0"  # the last is the no-break space, which comes along with copied text
_SHOWN = 40

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

# Refused everywhere, also inside quotes: the formula is printed, saved, and quoted in programs.
_CONTROL = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]|\r(?!\n)"
)


@dataclass(frozen=True)
class Token:
    """A name, number, quoted text or symbol as it is written, or the end of a line."""

    kind: Kind
    text: str
    span: Span


def tokenize(source: str) -> list[Token]:
    """Split `source` into tokens; every line, the last one too, is closed by an `end` token."""
    _require_printable(source)
    tokens: list[Token] = []
    still_open: list[Token] = []
    for token in _scan(source):
        if token.text in _CLOSED_BY:
            still_open.append(token)
            if len(still_open) > MAX_DEPTH:
                raise _error(source, f"More than {MAX_DEPTH} brackets are open here.", token.span)
        elif token.text in _CLOSED_BY.values():
            _close(source, still_open, token)
        elif token.kind == "end" and still_open:
            if token.text == "\n":
                continue
            raise _error(source, "This bracket is not closed.", still_open[-1].span)
        tokens.append(token)
    return tokens


class Cursor:
    """A place among the tokens of one line, and what a parser asks and does there.

    Parameters
    ----------
    source
        The whole text, for the frames of errors.
    tokens
        The tokens of the line, with its `end`.
    """

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self._place = 0

    @property
    def here(self) -> Token:
        """The token that comes next."""
        return self.tokens[self._place]

    @property
    def following(self) -> Token:
        """The token after `here`."""
        return self.tokens[self._place + 1]

    @property
    def _last(self) -> Token:
        """The token taken last."""
        return self.tokens[self._place - 1]

    def at(self, *symbols: str) -> bool:
        """Whether one of these symbols stands here."""
        return self.here.kind == "symbol" and self.here.text in symbols

    def take(self) -> Token:
        """Take the token here; the cursor moves on."""
        self._place += 1
        return self._last

    def accept(self, symbol: str) -> bool:
        """Take `symbol` if it stands here, and say whether it did."""
        found = self.at(symbol)
        self._place += found
        return found

    def expect(self, symbol: str, wanted: str | None = None, hint: str | None = None) -> None:
        """Take `symbol`, or fail with what was `wanted` here."""
        if not self.accept(symbol):
            raise self.expected(wanted or f"`{symbol}`", hint)

    def expect_end(self, hint: str | None = None) -> None:
        """Fail unless the line ends here."""
        if self.here.kind != "end":
            raise self.expected("the end of the line", hint)

    def joined(self, symbol: str, read: Callable[[Cursor], _Item]) -> tuple[_Item, ...]:
        """Read one item or more, with `symbol` between them."""
        items = [read(self)]
        while self.accept(symbol):
            items.append(read(self))
        return tuple(items)

    def listed(self, read: Callable[[Cursor], _Item]) -> tuple[_Item, ...]:
        """Read one item or more, separated by commas, in brackets."""
        self.expect("(")
        items = self.joined(",", read)
        self.expect(")", "`,` or `)`")
        return items

    def since(self, start: Token) -> Span:
        """Span the text from `start` to the token taken last."""
        return start.span.to(self._last.span)

    def error(self, message: str, span: Span, hint: str | None = None) -> FormulaError:
        """Make an error that is in this line."""
        return _error(self.source, message, span, hint)

    def expected(self, wanted: str, hint: str | None = None) -> FormulaError:
        """Make the error of not finding `wanted` here."""
        here = self.here
        if here.kind != "end":
            return self.error(f"Expected {wanted}, not {shown(here.text)}.", here.span, hint)
        if here.text == "\n" and self.source[here.span.end :].strip():
            hint = CONTINUE
        message = f"Expected {wanted} after {shown(self._last.text)}."
        return self.error(message, self._last.span, hint)


def is_bare(name: str) -> bool:
    """Whether `name` can be written without backticks."""
    # Names with two leading underscores are Python's own (`__import__`), hardly ever columns.
    first_fits = not name.startswith((".", "__"))
    return first_fits and name.replace(".", "_").isidentifier()


def shown(text: str) -> str:
    """Quote `text` for a message: in backticks, and cut if it is long."""
    name = text.strip("`")
    return f"`{name if len(name) <= _SHOWN else name[:_SHOWN] + '...'}`"


def _scan(source: str) -> Iterator[Token]:
    start = 0
    while start < len(source):
        if source[start] in _BLANK:
            start += 1
            continue
        token = _token(source, start)
        start = token.span.end
        yield token
    yield Token("end", "", Span(start, start))


def _token(source: str, start: int) -> Token:
    """Read the token that begins at `start`."""
    first = source[start]
    if first in "\n;":
        return Token("end", first, Span(start, start + 1))
    if first in _QUOTES:
        return _quoted(source, start)
    if _is_word(first):
        return _word(source, start)
    for symbol in _SYMBOLS:
        if source.startswith(symbol, start):
            return Token("symbol", symbol, Span(start, start + len(symbol)))
    raise _error(source, f"{_character(first)} is not part of the language.", _at(start))


def _quoted(source: str, start: int) -> Token:
    quote = source[start]
    line_end = source.find("\n", start)
    close = source.find(quote, start + 1, len(source) if line_end < 0 else line_end)
    if close < 0:
        raise _error(source, f"This {_QUOTES[quote]} is not closed.", _at(start))
    span = Span(start, close + 1)
    if quote != "`":
        return Token("text", source[start : close + 1], span)
    if close == start + 1:
        raise _error(source, "There is no name between these backticks.", span)
    return Token("name", source[start : close + 1], span)


def _word(source: str, start: int) -> Token:
    """Read a number or a bare name; what is neither, such as `0x10`, is refused as a whole."""
    number = _NUMBER.match(source, start)
    end = number.end() if number else start
    if number and not (end < len(source) and _is_word(source[end])):
        if float(number.group()) == float("inf"):
            raise _error(source, f"{shown(number.group())} is too large.", Span(start, end))
        return Token("number", number.group(), Span(start, end))
    while end < len(source) and _is_word(source[end]):
        end += 1
    word = source[start:end]
    if number or not is_bare(word):
        message = f"{shown(word)} is neither a number nor a name."
        hint = "a column of that name stands in backticks"
        raise _error(source, message, Span(start, end), hint)
    return Token("name", word, Span(start, end))


def _is_word(character: str) -> bool:
    """Whether names and numbers may hold this character (combining accents among them)."""
    return character == "." or ("_" + character).isidentifier()


def _close(source: str, still_open: list[Token], token: Token) -> None:
    if not still_open:
        raise _error(source, f"{shown(token.text)} closes no bracket.", token.span)
    opened = still_open.pop()
    if _CLOSED_BY[opened.text] != token.text:
        message = f"{shown(token.text)} does not close {shown(opened.text)}."
        raise _error(source, message, token.span)


def _require_printable(source: str) -> None:
    control = _CONTROL.search(source)
    if control:
        message = f"{_character(control.group())} is not part of the language."
        raise _error(source, message, _at(control.start()))


def _character(character: str) -> str:
    """Name a single character in a message."""
    code = f"The character U+{ord(character):04X}"
    return f"`{character}`" if character.isprintable() else code


def _at(start: int) -> Span:
    return Span(start, start + 1)


def _error(source: str, message: str, span: Span, hint: str | None = None) -> FormulaError:
    return FormulaError(Problem(message, source, span, hint))
