"""Distributions at known parameters: mixtures and hidden Markov models as targets.

What a sampler or a network is judged by is a distribution of which everything is known: its log
density and gradient, its moments and quantiles, and as many draws as one likes. Components are the
families of a formula, by the names that their parameters have in a posterior.

>>> import stanmix as sm
>>> d = sm.distributions
>>> d.Mixture([0.3, 0.7], d.components("normal", mu=[0, 4], sigma=[1, 2]))
Mixture: 0.3 normal(mu=0, sigma=1) + 0.7 normal(mu=4, sigma=2)

`component` is one family at given parameters, and `a & b` has the columns of both, as in a formula;
`components` is the same family for all components, at parameters with a leading axis of components.
`Mixture` and `HiddenMarkov` take components; `gaussian_mixture`, `uniform_means` and `gmm40` make
mixtures. `Fit.at` gives a fitted model at one of its draws.

Values may have any leading shape; all is worked out in double precision. Draws come with the states
they are from (`Sample`), numbered from 1. A `dataset` is always the same for its split and seed,
and starts with every shorter one.
"""

from stanmix.distributions.component import Component, component, components
from stanmix.distributions.gaussian import gaussian_mixture, gmm40, uniform_means
from stanmix.distributions.markov import HiddenMarkov
from stanmix.distributions.mixture import Mixture
from stanmix.distributions.seeds import Sample

__all__ = [
    "Component",
    "HiddenMarkov",
    "Mixture",
    "Sample",
    "component",
    "components",
    "gaussian_mixture",
    "gmm40",
    "uniform_means",
]
