"""stanmix: Bayesian mixtures and hidden Markov models from one formula, on Stan."""

from stanmix.api import fit, simulate
from stanmix.errors import (
    ConvergenceWarning,
    DataError,
    EngineError,
    FormulaError,
    IdentifiabilityWarning,
    SamplingError,
    SpecError,
    StanmixError,
)
from stanmix.fit import Fit
from stanmix.model import Model, model
from stanmix.simulation import Simulated
from stanmix.storage import load

__all__ = [
    "ConvergenceWarning",
    "DataError",
    "EngineError",
    "Fit",
    "FormulaError",
    "IdentifiabilityWarning",
    "Model",
    "SamplingError",
    "Simulated",
    "SpecError",
    "StanmixError",
    "fit",
    "load",
    "model",
    "simulate",
]
