"""The command line: `stanmix`, or `python -m stanmix`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="stanmix", description="Bayesian mixtures and hidden Markov models on Stan."
    )
    parser.add_argument("--version", action="version", version=f"stanmix {version('stanmix')}")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser(
        "install-cmdstan", help="download and build CmdStan, by cmdstanpy's installer"
    )
    install.add_argument("--cores", type=int, default=1, help="processors to build with")
    chosen = parser.parse_args(arguments)
    return install_cmdstan(chosen.cores)


def install_cmdstan(cores: int) -> int:
    """Install CmdStan where cmdstanpy keeps it; returns 0 if that worked."""
    from stanmix.engines.cmdstan import install

    return 0 if install(cores) else 1
