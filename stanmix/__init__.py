"""stanmix: Bayesian mixtures and hidden Markov models from one formula, on Stan."""

from stanmix import distributions
from stanmix.api import fit, simulate
from stanmix.comparison import compare
from stanmix.conformance import check_family
from stanmix.elpd import Elpd
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
from stanmix.evidence import Evidence
from stanmix.families import Collapse, Column, Family, Param
from stanmix.fit import Fit
from stanmix.model import Model, model
from stanmix.modes import Modes
from stanmix.simulation import Simulated
from stanmix.storage import load
from stanmix.sweeps import Sweep, sweep

__all__ = [
    "Collapse",
    "Column",
    "ConvergenceWarning",
    "DataError",
    "Elpd",
    "EngineError",
    "Evidence",
    "Family",
    "Fit",
    "FormulaError",
    "IdentifiabilityWarning",
    "Model",
    "Modes",
    "Param",
    "SamplingError",
    "Simulated",
    "SpecError",
    "StanmixError",
    "Sweep",
    "check_family",
    "compare",
    "distributions",
    "fit",
    "load",
    "model",
    "simulate",
    "sweep",
]
