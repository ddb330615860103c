"""The Stan functions and templates that stanmix ships, and which functions a text needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from textwrap import dedent

_HEAD = re.compile(r"^(?P<type>(?:array\[,*\] )?\w+) (?P<name>\w+)\((?P<arguments>[^{]*)\) \{$")
_WORD = re.compile(r"[A-Za-z]\w*")
_CALL = re.compile(r"\b([A-Za-z]\w*)\(")
_WIDER = {"real": "vector", "vector": "matrix"}


@dataclass(frozen=True)
class Function:
    """A Stan function as it stands in its file, with the comment above it.

    Parameters
    ----------
    name, signature, text
        Its name, its head without the brace, and all of it.
    by_row
        Arguments that have a value a row here: vectors where the file has a number, and matrices
        with a column a row where it has a vector.
    """

    name: str
    signature: str
    text: str
    by_row: frozenset[str] = frozenset()

    @property
    def arguments(self) -> list[tuple[str, str]]:
        """Its arguments, as (type, name) pairs."""
        listed = self.signature.partition("(")[2].removesuffix(")")
        pairs = [a.rpartition(" ") for a in re.split(r",\s*(?![\],])", listed) if a]
        return [(kind, name) for kind, _, name in pairs]

    @property
    def head(self) -> str:
        """Its signature without what it returns."""
        return self.signature[self.signature.index(f"{self.name}(") :]

    @property
    def calls(self) -> Iterator[tuple[str, list[str]]]:
        """What its body calls."""
        return calls(re.sub(r"//[^\n]*", "", self.text).split("{", 1)[1])

    def with_rows(self, names: frozenset[str]) -> Function:
        """The overload in which these arguments have a value a row.

        The body stays as it is: it is written so that it holds for both.
        """
        if not names:
            return self
        varying = re.compile(rf"\b(real|vector) ({'|'.join(sorted(names))})\b")

        def widened(text: str) -> str:
            return varying.sub(lambda match: f"{_WIDER[match[1]]} {match[2]}", text)

        head, brace, body = self.text.partition("{\n")
        return Function(self.name, widened(self.signature), widened(head) + brace + body, names)


def calls(code: str) -> Iterator[tuple[str, list[str]]]:
    """The calls in Stan code, each with its arguments as text.

    Examples
    --------
    >>> list(calls("f(x, g(y))"))
    [('f', ['x', 'g(y)']), ('g', ['y'])]
    """
    for match in _CALL.finditer(code):
        depth, start, arguments = 1, match.end(), []
        for place in range(match.end(), len(code)):
            character = code[place]
            depth += (character in "([{") - (character in ")]}")
            if (depth == 1 and character in ",|") or depth == 0:
                arguments.append(code[start:place].strip())
                start = place + 1
            if depth == 0:
                break
        yield match[1], [a for a in arguments if a]


def folder(name: str) -> Traversable:
    """The folder `stan` or `templates`: in the installed package, else beside it in a checkout.

    Raises
    ------
    FileNotFoundError
        It is in neither; the installation is broken.
    """
    packaged = files("stanmix") / "_resources" / name
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).resolve().parents[2] / name
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(f"stanmix is installed without its `{name}` folder")


@cache
def functions() -> dict[str, Function]:
    """Every Stan function that stanmix ships, by its signature."""
    found: dict[str, Function] = {}
    for file in _stan_files(folder("stan")):
        for function in split_functions(file.read_text(encoding="utf-8")):
            found[function.signature] = function
    return found


def _stan_files(place: Traversable) -> Iterator[Traversable]:
    for entry in sorted(place.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _stan_files(entry)
        elif entry.name.endswith(".stan"):
            yield entry


def split_functions(text: str) -> list[Function]:
    r"""The functions of a Stan file, each from the comment above its head to its closing brace.

    Examples
    --------
    >>> [f.signature for f in split_functions("real twice(real x) {\n  return 2 * x;\n}\n")]
    ['real twice(real x)']
    """
    found: list[Function] = []
    pending: list[str] = []
    head = ""
    for line in map(str.rstrip, dedent(text).splitlines()):
        pending.append(line)
        if not head:
            if not line.strip():
                pending = []
            elif not line.startswith("//") and line.endswith("{"):
                # A head may go over several lines.
                code = [part for part in pending if not part.startswith("//")]
                head = " ".join(part.strip() for part in code)
        elif line == "}":
            match = _HEAD.match(head)
            if match is None:
                raise ValueError(f"not the head of a Stan function: {head}")
            found.append(Function(match["name"], head.removesuffix(" {"), "\n".join(pending)))
            pending, head = [], ""
    left = next((line for line in pending if line and not line.startswith("//")), None)
    if left is not None:
        raise ValueError(f"a head ends with `{{`, and a function with a line `}}`; not so `{left}`")
    return found


def needed_functions(
    wanted: Iterable[tuple[str, frozenset[str]]], text: str, own: Iterable[Function] = ()
) -> list[Function]:
    """The functions that a program needs, each before those that call it.

    Parameters
    ----------
    wanted
        Functions by signature, with the arguments that have a value a row. Where a file has an
        overload for vectors that do, it is taken.
    text
        Program text; other functions are found in its calls.
    own
        Functions besides those that stanmix ships.

    Raises
    ------
    KeyError
        A signature that no file has.
    """
    by_name: dict[str, list[Function]] = {}
    known = functions() | {function.signature: function for function in own}
    for function in known.values():
        by_name.setdefault(function.name, []).append(function)
    by_arguments = {function.head: function for function in known.values()}
    chosen: dict[str, Function] = {}

    def overload(function: Function, by_row: frozenset[str]) -> Function:
        """The overload by row: where a file has one with matrices, it is made of that."""
        vectors = frozenset(n for kind, n in function.arguments if kind == "vector" and n in by_row)
        columns = function.with_rows(vectors)
        return by_arguments.get(columns.head, columns).with_rows(by_row)

    def add(function: Function) -> None:
        if function.signature in chosen:
            return
        for name, arguments in function.calls:
            for callee in by_name.get(name, []):
                if len(callee.arguments) == len(arguments):
                    callee = overload(callee, _rows_of(callee, arguments, function))
                    if callee.signature != function.signature and _fits(
                        callee, arguments, function
                    ):
                        add(callee)
        chosen[function.signature] = function

    named = set()
    for signature, by_row in wanted:
        function = known[signature]
        named.add(function.name)
        add(overload(function, by_row))
    for name, arguments in calls(text):
        for function in by_name.get(name, []):
            if name not in named and len(function.arguments) == len(arguments):
                add(function)
    return list(chosen.values())


def _fits(callee: Function, given: list[str], caller: Function) -> bool:
    """Whether an overload takes what it is given, as far as that is arguments of the caller."""
    kinds = {name: kind for kind, name in caller.arguments}
    shaped = ("real", "vector", "matrix")
    return all(
        kind == kinds.get(argument, kind) or not {kind, kinds[argument]} <= set(shaped)
        for (kind, _), argument in zip(callee.arguments, given, strict=True)
    )


def _rows_of(callee: Function, given: list[str], caller: Function) -> frozenset[str]:
    """The arguments of a called function that have a value a row, since what is given has.

    What is made of numbers by row is a vector by row; vectors by row are given as they are.
    """
    kinds = {name: kind for kind, name in caller.arguments if name in caller.by_row}
    vectors = {name for name, kind in kinds.items() if kind == "vector"}
    return frozenset(
        name
        for (kind, name), argument in zip(callee.arguments, given, strict=True)
        if (kind == "real" and vectors & set(_WORD.findall(argument)))
        or (kind == "vector" and kinds.get(argument) == "matrix")
    )
