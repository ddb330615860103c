"""The Stan functions and templates that stanmix ships, and which functions a text needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_HEAD = re.compile(r"^(?P<type>(?:array\[,*\] )?\w+) (?P<name>\w+)\((?P<arguments>[^{]*)\) \{$")
_WORD = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class Function:
    """A Stan function as it stands in its file, with the comment above it."""

    name: str
    signature: str
    text: str

    @property
    def body(self) -> str:
        """What stands between its braces, without comments: its calls are in there."""
        return re.sub(r"//[^\n]*", "", self.text).split("{", 1)[1]


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
    for line in text.splitlines():
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
    return found


def needed_functions(signatures: Iterable[str], text: str) -> list[Function]:
    """The functions that a program needs, each before those that call it.

    Parameters
    ----------
    signatures
        Functions wanted by signature, where overloads differ.
    text
        Program text; functions are found in it by name.

    Raises
    ------
    KeyError
        A signature that no file has.
    """
    by_name: dict[str, list[Function]] = {}
    for function in functions().values():
        by_name.setdefault(function.name, []).append(function)
    chosen: dict[str, Function] = {}

    def add(function: Function) -> None:
        if function.signature in chosen:
            return
        for word in dict.fromkeys(_WORD.findall(function.body)):
            for callee in by_name.get(word, []):
                if callee.signature != function.signature and callee.signature not in chosen:
                    add(callee)
        chosen[function.signature] = function

    wanted = [functions()[signature] for signature in dict.fromkeys(signatures)]
    named = {function.name for function in wanted}
    for function in wanted:
        add(function)
    for word in dict.fromkeys(_WORD.findall(text)):
        if word not in named:
            for function in by_name.get(word, []):
                add(function)
    return list(chosen.values())
