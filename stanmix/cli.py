"""The command line: `stanmix`, or `python -m stanmix`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from stanmix.engines import archive, cache, cmdstan
from stanmix.errors import StanmixError, plural


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        The words after `stanmix`; those of the process if not given.

    Returns
    -------
    int
        0, or 1 if it failed; then standard error says why.
    """
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except StanmixError as error:
        print(f"stanmix: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stanmix", description="Bayesian mixtures and hidden Markov models on Stan."
    )
    parser.add_argument("--version", action="version", version=f"stanmix {version('stanmix')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    install = commands.add_parser(
        "install-cmdstan", help="download and build CmdStan, by cmdstanpy's installer"
    )
    install.add_argument("--cores", type=int, default=1, help="processors to build with")
    install.set_defaults(run=_install_cmdstan)

    kept = commands.add_parser(
        "cache", help="what is compiled once and kept: homes of CmdStan, executables of programs"
    )
    actions = kept.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what there is, and what it takes")
    listing.set_defaults(run=_cache_list)
    clear = actions.add_parser("clear", help="remove everything, or one kind of it")
    clear.add_argument("kind", nargs="?", choices=cache.KINDS, help="remove these alone")
    clear.set_defaults(run=_cache_clear)
    pack = actions.add_parser("export", help="write everything to one file")
    pack.add_argument("file", type=Path, help="the file, a gzipped tar file")
    pack.set_defaults(run=_cache_export)
    unpack = actions.add_parser("import", help="add what an exported file holds; trust it first")
    unpack.add_argument("file", type=Path, help="a file that `stanmix cache export` wrote")
    unpack.set_defaults(run=_cache_import)
    return parser


def _install_cmdstan(chosen: argparse.Namespace) -> int:
    return 0 if cmdstan.install(chosen.cores) else 1


def _cache_list(chosen: argparse.Namespace) -> int:
    entries = cache.entries()
    for entry in entries:
        made = date.fromtimestamp(entry.path.stat().st_mtime)
        print(f"{entry.kind:<9} {_bytes(entry.size):>9}  {made}  {_what(entry)}")
    total = _bytes(sum(entry.size for entry in entries))
    print(f"{plural(len(entries), 'thing')}, {total}, in {cache.folder()}")
    return 0


def _cache_clear(chosen: argparse.Namespace) -> int:
    entries = [e for e in cache.entries() if chosen.kind in (None, e.kind)]
    total = _bytes(sum(entry.size for entry in entries))
    cache.clear(chosen.kind)
    print(f"Removed {plural(len(entries), 'thing')}, {total}.")
    return 0


def _cache_export(chosen: argparse.Namespace) -> int:
    print(f"Wrote {plural(archive.pack(chosen.file), 'thing')} to {chosen.file}.")
    return 0


def _cache_import(chosen: argparse.Namespace) -> int:
    print(f"Added {plural(archive.unpack(chosen.file), 'thing')} to the cache.")
    return 0


def _what(entry: cache.Entry) -> str:
    """A thing of the cache in the user's words: the formula of a program, the version of a home."""
    if entry.kind == "homes":
        return f"CmdStan {cmdstan.CmdStan(entry.path).version}"
    program = entry.path / "model.stan"
    first = program.read_text(encoding="utf-8").partition("\n")[0] if program.is_file() else ""
    return first.removeprefix("//").strip() if first.startswith("//") else "a program of its own"


def _bytes(count: int) -> str:
    """A number of bytes in the unit in which it is short."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
