"""Vignettes that are notebooks: executed by this Python, and written as they are kept.

`python -m tests.notebooks` does so for all of them, and with paths for those alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

VIGNETTES = Path(__file__).parents[1] / "vignettes"

ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
"""Where a value was in memory."""

LONGEST = 1800
"""Most seconds a cell may take, such as one that trains a network."""


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever others are installed."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def read(path: Path) -> NotebookNode:
    """A notebook as it is kept."""
    return nbformat.read(path, as_version=4)


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook with new outputs, from the Python that runs this."""
    client = NotebookClient(
        notebook, kernel_manager_class=ThisPython, timeout=LONGEST, record_timing=False
    )
    done: NotebookNode = client.execute()
    # What depends on who ran it, and when.
    done.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in done.cells:
        cell.metadata = NotebookNode()
        for data in (output.data for output in cell.get("outputs", []) if "data" in output):
            if "text/plain" in data:
                data["text/plain"] = ADDRESS.sub(">", data["text/plain"])
    return done


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(VIGNETTES.glob("*.ipynb")):
        nbformat.write(executed(read(path)), path)
