"""What stanmix asks of a Stan engine, and what comes back.

Everything here speaks of Stan variables by name, on the constrained scale: the one representation
that all engines read and write, since their unconstrained scales differ (simplexes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stanmix.program.program import StanProgram

Variables = Mapping[str, NDArray[np.float64]]
"""Values of Stan variables by name."""

Data = Mapping[str, Any]
"""Values of a program's data block by name: numbers, or arrays as Stan declares them."""

Progress = Callable[[int, int, bool], None]
"""Called with (chain from 0, iterations done, whether still warming up) while chains run."""


@dataclass(frozen=True)
class SamplerSettings:
    """How NUTS is run; the names are those of `stanmix.fit`.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains; iterations of each before, and after, adaptation ends.
    seed
        Seed of the engine's generator; chain c uses stream c of it.
    adapt_delta
        Target acceptance rate, between 0 and 1.
    max_treedepth
        Largest depth of a NUTS tree.
    metric
        `diag_e`, `dense_e` or `unit_e`.
    thin
        Keep every so many draws.
    parallel_chains
        Chains that run at the same time; None for as many as there are processors.
    """

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    seed: int = 1
    adapt_delta: float = 0.9
    max_treedepth: int = 10
    metric: str = "diag_e"
    thin: int = 1
    parallel_chains: int | None = None


@dataclass(frozen=True)
class Draws:
    """What sampling returns.

    Parameters
    ----------
    variables
        Every variable of the program with at least one element, (chain, draw, *shape) each.
    stats
        Sampler statistics under ArviZ's names, (chain, draw) each: `lp`, `acceptance_rate`,
        `step_size`, `tree_depth`, `n_steps`, `diverging`, `energy`.
    engine
        The engine's name and version, for the record: `stanli 0.24.0`.
    """

    variables: Variables
    stats: Mapping[str, NDArray[Any]]
    engine: str


@dataclass(frozen=True)
class Optimum:
    """A posterior mode: `variables` as named arrays (*shape), and its log density `lp`."""

    variables: Variables
    lp: float


class Target(Protocol):
    """The log density of a program with its data, on the engine's unconstrained scale.

    What integrals over the posterior need. An engine may lack it: see `Unconstrained`.

    Attributes
    ----------
    size : int
        How many unconstrained parameters there are.
    """

    size: int

    def unconstrain(self, parameters: Variables) -> NDArray[np.float64]:
        """Points (draw, size), of constrained values of every parameter, (draw, *shape) each."""
        ...

    def constrain(self, points: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every variable of the program at points (draw, size): (draw, *shape) each."""
        ...

    def log_density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log density with Jacobian, at points (draw, size): (draw).

        -inf where there is none.
        """
        ...

    def gradient(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its gradient, at points (draw, size): (draw, size); NaN where there is none."""
        ...


@runtime_checkable
class Unconstrained(Protocol):
    """An engine that evaluates densities on its unconstrained scale, in process."""

    def target(self, program: StanProgram, data: Data) -> Target:
        """The log density of a program with its data.

        Parameters
        ----------
        program, data
            The program, and values for its data block.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """A way to run Stan programs.

    Attributes
    ----------
    name : str
        `stanli` or `cmdstan`.
    version : str
        Version of the engine (for `cmdstan`, of CmdStan).
    """

    name: str
    version: str

    def compile(self, program: StanProgram) -> None:
        """Make `program` ready to run; a second call for the same program costs nothing.

        Parameters
        ----------
        program
            The program.

        Raises
        ------
        EngineError
            The compiler refused the program, or is missing.
        """
        ...

    def sample(
        self,
        program: StanProgram,
        data: Data,
        settings: SamplerSettings,
        inits: Sequence[Variables] | None = None,
        progress: Progress | None = None,
    ) -> Draws:
        """Draws of the posterior by NUTS.

        Parameters
        ----------
        program, data
            The program, and values for its data block.
        settings
            How NUTS is run.
        inits
            Constrained values of every parameter, one mapping a chain; None for Stan's own.
        progress
            Called while the chains run.

        Returns
        -------
        Draws
            Of all chains; nothing is returned if one failed.

        Raises
        ------
        SamplingError
            A chain failed.
        """
        ...

    def generate(
        self,
        program: StanProgram,
        data: Data,
        parameters: Variables,
        names: Sequence[str],
        seed: int = 1,
    ) -> dict[str, NDArray[np.float64]]:
        """Generated quantities at given draws, with any data.

        Parameters
        ----------
        program, data
            The program, and values for its data block.
        parameters
            Constrained values of every parameter, (draw, *shape) each.
        names
            Variables to return.
        seed
            Seed of the random numbers that the program draws.

        Returns
        -------
        dict
            (draw, *shape) each.
        """
        ...

    def log_density(
        self, program: StanProgram, data: Data, parameters: Variables
    ) -> tuple[float, NDArray[np.float64]]:
        """Log density with Jacobian, and its gradient on the engine's unconstrained scale.

        The density is normalised as the program writes it (nothing written as `_lpdf` is dropped);
        the engines' simplex transforms differ by a constant.

        Parameters
        ----------
        program, data
            The program, and values for its data block.
        parameters
            Constrained values of every parameter, (*shape) each.

        Returns
        -------
        tuple
            The log density, and the gradient, (unconstrained parameter).
        """
        ...

    def optimize(self, program: StanProgram, data: Data, init: Variables, seed: int = 1) -> Optimum:
        """The posterior mode on the unconstrained scale (with Jacobian), by L-BFGS.

        Parameters
        ----------
        program, data
            The program, and values for its data block.
        init
            Constrained values of every parameter, where it starts.
        seed
            Seed of the engine's generator.

        Returns
        -------
        Optimum
            The mode that was reached.

        Raises
        ------
        SamplingError
            There is no density at `init`.
        """
        ...
