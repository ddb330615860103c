"""stanmix: Bayesian mixtures and hidden Markov models from one formula, on Stan."""

from stanmix.api import fit, simulate
from stanmix.conformance import check_family
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
from stanmix.families import Collapse, Column, Family, Param
from stanmix.fit import Fit
from stanmix.model import Model, model
from stanmix.simulation import Simulated
from stanmix.storage import load

__all__ = [
    "Collapse",
    "Column",
    "ConvergenceWarning",
    "DataError",
    "EngineError",
    "Family",
    "Fit",
    "FormulaError",
    "IdentifiabilityWarning",
    "Model",
    "Param",
    "SamplingError",
    "Simulated",
    "SpecError",
    "StanmixError",
    "check_family",
    "fit",
    "load",
    "model",
    "simulate",
]
