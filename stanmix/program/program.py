"""`StanProgram`: what crosses from rendering to the engines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class StanProgram:
    """One self-contained Stan program, and what it declares.

    Parameters
    ----------
    code
        The program text, with every function it uses. It begins with comment lines that hold the
        formula; these are for the reader, and no part of the program's identity.
    parameters
        Names of the variables of its parameters block, in order.
    """

    code: str
    parameters: tuple[str, ...]

    @property
    def key(self) -> str:
        """Hash of the text less its leading comment lines (64 hexadecimal digits).

        Models that differ in data, sizes or K alone have the same key, hence the same executable.
        """
        lines = self.code.splitlines(keepends=True)
        head = 0
        while head < len(lines) and lines[head].startswith("//"):
            head += 1
        return hashlib.sha256("".join(lines[head:]).encode()).hexdigest()
