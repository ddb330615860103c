"""Draws and densities on the scale on which a program is sampled: for integrals over posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stanmix.engines import engine as find_engine
from stanmix.engines.base import Target, Unconstrained
from stanmix.errors import EngineError
from stanmix.questions.asking import flat, thinned

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.model import Model


def target_of(model: Model) -> Target:
    """The log density of a model, in process, whichever engine draws."""
    engine = find_engine("stanli")
    if not isinstance(engine, Unconstrained):
        raise EngineError(f"{engine.name} does not evaluate densities on its unconstrained scale.")
    return engine.target(model.program, model.data)


def unconstrained_draws(fit: Fit, target: Target) -> NDArray[np.float64]:
    """All draws of a fit as points of a target: (chain, draw, parameter)."""
    draws = thinned(fit, None)
    points = target.unconstrain(flat(draws))
    return points.reshape(draws.sizes["chain"], draws.sizes["draw"], target.size)
