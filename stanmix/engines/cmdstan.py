"""The compiled engine: CmdStan, installed or from a wheel (`toolchain`), through cmdstanpy.

cmdstanpy runs executables and reads what they write; it is imported when first needed. Only make
is called directly: cmdstanpy would change the working folder of the whole process meanwhile.
Numbers travel with 17 digits, so that draws can be mapped back.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.engines import cache, columns, make
from stanmix.engines.base import Data, Draws, Optimum, Progress, SamplerSettings, Variables
from stanmix.engines.progress import heard, stride, tell
from stanmix.errors import EngineError, SamplingError, StanmixError, listing
from stanmix.program.program import StanProgram

_DIGITS = 17
_EXE = ".exe" if os.name == "nt" else ""


def find_home() -> Path | None:
    """The folder of the installed CmdStan (`$CMDSTAN`, `~/.cmdstan`, conda), or None."""
    with _cmdstanpy() as cmdstanpy:
        try:
            return Path(cmdstanpy.cmdstan_path())
        except ValueError:
            return None


def install(cores: int = 1) -> bool:
    """Download CmdStan and build it on `cores` processors, in `~/.cmdstan`; whether it worked."""
    import cmdstanpy

    return bool(cmdstanpy.install_cmdstan(cores=cores, progress=True))


class CmdStan:
    """A CmdStan as an `Engine`.

    Its `generate` knows generated quantities only: CmdStan does not return transformed parameters
    at given draws.

    Parameters
    ----------
    home
        The folder of CmdStan.

    Attributes
    ----------
    name : str
        `cmdstan`.
    version : str
        Version of CmdStan; with the wheel that it is from, if it is: `2.35.0 (httpstan 4.13.0)`.
    """

    name = "cmdstan"

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self.version = _version(home)

    def compile(self, program: StanProgram) -> None:
        """Make `program` ready to run; see `Engine.compile`."""
        self._executable(program)

    def sample(
        self,
        program: StanProgram,
        data: Data,
        settings: SamplerSettings,
        inits: Sequence[Variables] | None = None,
        progress: Progress | None = None,
    ) -> Draws:
        """Draws of the posterior by NUTS, one process a chain; see `Engine.sample`."""
        adapts = settings.warmup > 0
        with self._open(program) as (model, output), heard(progress), _patient():
            fit = model.sample(
                data=dict(data),
                chains=settings.chains,
                iter_warmup=settings.warmup,
                iter_sampling=settings.draws,
                seed=settings.seed,
                adapt_engaged=adapts,
                adapt_delta=settings.adapt_delta if adapts else None,
                max_treedepth=settings.max_treedepth,
                metric=settings.metric,
                thin=settings.thin,
                parallel_chains=settings.parallel_chains,
                force_one_process_per_chain=True,
                inits=None if inits is None else [_parameters(program, init) for init in inits],
                sig_figs=_DIGITS,
                output_dir=output,
                show_progress=False,
                show_console=progress is not None,
                refresh=stride(settings.warmup + settings.draws),
            )
            values = np.swapaxes(fit.draws(), 0, 1)
        return Draws(
            variables=columns.unflatten(fit.column_names, values),
            stats=columns.stats(fit.column_names, values),
            engine=f"{self.name} {self.version}",
        )

    def generate(
        self,
        program: StanProgram,
        data: Data,
        parameters: Variables,
        names: Sequence[str],
        seed: int = 1,
    ) -> dict[str, NDArray[np.float64]]:
        """Generated quantities; see `Engine.generate`."""
        with self._open(program) as (model, output):
            fitted = output / "fitted.csv"
            write_draws(fitted, _parameters(program, parameters))
            found = model.generate_quantities(
                data=dict(data),
                previous_fit=[str(fitted)],
                seed=seed,
                sig_figs=_DIGITS,
                gq_output_dir=output,
            )
            values = columns.unflatten(found.column_names, found.draws(concat_chains=True))
        if unknown := [name for name in names if name not in values]:
            raise EngineError(f"The program generates no values of {listing(unknown)}.")
        return {name: values[name] for name in names}

    def log_density(
        self, program: StanProgram, data: Data, parameters: Variables
    ) -> tuple[float, NDArray[np.float64]]:
        """Log density with Jacobian, and its gradient; see `Engine.log_density`."""
        with self._open(program) as (model, _):
            density, *gradient = model.log_prob(
                _parameters(program, parameters), data=dict(data), jacobian=True, sig_figs=_DIGITS
            ).to_numpy()[0]
        return float(density), np.array(gradient)

    def optimize(self, program: StanProgram, data: Data, init: Variables, seed: int = 1) -> Optimum:
        """The posterior mode on the unconstrained scale; see `Engine.optimize`."""
        with self._open(program) as (model, output):
            found = model.optimize(
                data=dict(data),
                seed=seed,
                inits=_parameters(program, init),
                algorithm="lbfgs",
                jacobian=True,
                sig_figs=_DIGITS,
                output_dir=output,
            )
        values = found.optimized_params_np
        lp = columns.stats(found.column_names, values)["lp"]
        return Optimum(columns.unflatten(found.column_names, values), float(lp))

    @contextmanager
    def _open(self, program: StanProgram) -> Iterator[tuple[Any, Path]]:
        """`program` as a `CmdStanModel`, and a folder for what it writes, removed afterwards."""
        executable = self._executable(program)
        with (
            _cmdstanpy() as cmdstanpy,
            tempfile.TemporaryDirectory(prefix="stanmix-") as folder,
        ):
            output = Path(folder)
            try:
                yield cmdstanpy.CmdStanModel(exe_file=executable), output
            except StanmixError:
                raise
            except (RuntimeError, ValueError) as error:
                raise SamplingError(_failure(output) or str(error)) from error

    def _executable(self, program: StanProgram) -> Path:
        """The compiled `program`: from the cache, else made now."""
        key = cache.key(program.key, *_identity(self._home))
        folder = cache.obtain("programs", key, partial(_make, self._home, program))
        return folder / f"model{_EXE}"


def write_draws(path: Path, variables: Variables) -> None:
    """Write draws as the CSV of a sampler, for CmdStan and cmdstanpy to read.

    Parameters
    ----------
    path
        File to be written.
    variables
        Values (draw, *shape) each.
    """
    names = columns.flat_names({name: value.shape[1:] for name, value in variables.items()})
    values = columns.flatten(names, variables)
    # A sampler of fixed parameters has no adaptation to report. cmdstanpy reads these settings,
    # wants some warmup, the columns of the sampler first, and comments after the draws.
    settings = {
        "model": "model",
        "method": "sample",
        "num_samples": len(values),
        "num_warmup": 1,
        "save_warmup": 0,
        "thin": 1,
        "algorithm": "fixed_param",
    }
    with path.open("w") as file:
        file.writelines(f"# {name} = {value}\n" for name, value in settings.items())
        file.write(",".join(["lp__", "accept_stat__", *names]) + "\n")
        table = np.pad(values, ((0, 0), (2, 0)))
        np.savetxt(file, table, fmt=f"%.{_DIGITS}g", delimiter=",")
        file.write("#\n#\n")


@contextmanager
def _cmdstanpy() -> Iterator[ModuleType]:
    """cmdstanpy, silenced; the environment variables that it sets are put back."""
    import cmdstanpy

    before = {name: os.environ.get(name) for name in ("CMDSTAN", "STAN_NUM_THREADS")}
    try:
        with cmdstanpy.disable_logging():
            yield cmdstanpy
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _patient() -> Iterator[None]:
    """Before an interruption goes on, let the threads end in which cmdstanpy runs chains.

    The chains are interrupted as well; their threads print until they notice.
    """
    before = set(threading.enumerate())
    try:
        yield
    except KeyboardInterrupt:
        for thread in set(threading.enumerate()) - before:
            thread.join(timeout=2)
        raise


def _version(home: Path) -> str:
    """Version of the CmdStan at `home`, with the wheel that it is from, if it is."""
    makefile = home / "makefile"
    text = makefile.read_text() if makefile.is_file() else ""
    found = re.search(r"^CMDSTAN_VERSION := (\S+)", text, re.MULTILINE)
    if not found:
        raise EngineError(f"`{home}` holds no CmdStan.")
    wheel = re.search(r"^# (httpstan \S+)$", text, re.MULTILINE)
    return f"{found[1]} ({wheel[1]})" if wheel else found[1]


def _identity(home: Path) -> tuple[str, ...]:
    """What an executable depends on besides its program.

    A home in the cache is named by all of it, the place of the libraries that executables load
    included. An installed CmdStan holds these itself, so its place matters.
    """
    if home.parent == cache.folder() / "homes":
        return (home.name,)
    options = home / "make" / "local"
    stanc = home / "bin" / f"stanc{_EXE}"
    return (
        str(home),
        _version(home),
        str(stanc.stat().st_mtime_ns if stanc.exists() else None),
        options.read_text() if options.exists() else "",
        *(os.environ.get(name, "") for name in ("CXX", *make.FLAGS)),
    )


def _make(home: Path, program: StanProgram, folder: Path) -> None:
    """Compile `program` into `folder`, which gets the executable and the program's text."""
    # Elsewhere first: make cannot work in folders with spaces in their names.
    with tempfile.TemporaryDirectory(prefix="stanmix-") as work:
        source = Path(work) / "model.stan"
        target = source.with_name(f"model{_EXE}")
        source.write_text(program.code, encoding="utf-8")
        # Of the home from a wheel: none of the methods that it compiles when they are needed.
        goals = ["EXTRAS=", f"STANCFLAGS+=--filename-in-msg={source.name}", target.as_posix()]
        tell("Compiling the program, which takes about half a minute, once.")
        with make.compilers():
            make.run(home, goals, "CmdStan could not compile the program")
        with cache.written("programs"):
            shutil.copy2(source, folder)
            shutil.copy2(target, folder)


def _parameters(program: StanProgram, variables: Variables) -> dict[str, NDArray[np.float64]]:
    """The parameters of `program` among `variables`; those of size zero may be missing."""
    return {name: variables[name] for name in program.parameters if name in variables}


def _failure(output: Path) -> str | None:
    """What CmdStan printed in the first run that failed, as a sentence; None if it did not run."""
    # Their names hold the number of the chain, not padded.
    consoles = sorted(output.glob("*-stdout.txt"), key=lambda path: (len(path.name), path.name))
    for chain, path in enumerate(consoles, 1):
        console = path.read_text(errors="replace")
        # What a chain that ran to its end prints last.
        if "seconds (Total)" in console:
            continue
        errors = re.findall(r"^(?:(?:Exception|Error): )+(.+)", console, re.MULTILINE)
        last = console.strip().splitlines()[-1:]
        said = errors[-1] if errors else f"CmdStan stopped after `{''.join(last).strip()}`"
        if "method = sample" not in console:
            return said
        event = "failed" if "Iteration:" in console else "could not start"
        return f"Chain {chain} {event}: {said}"
    return None
