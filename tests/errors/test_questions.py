"""The messages for every kind of question that has no answer, as a page to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix.errors import StanmixError
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

RNG = np.random.default_rng(1)
ROWS = pd.DataFrame(
    {
        "y": RNG.normal(size=12),
        "v": RNG.normal(size=12),
        "n": RNG.poisson(3, 12),
        "x": RNG.normal(size=12),
        "g": np.tile(["a", "b", "c"], 4),
        "s": np.repeat(["one", "two"], 6),
        "t": np.tile(np.arange(6), 2),
    }
)
MODELS = {
    "mixture": "y ~ mix(normal, K=2)",
    "regression": "y ~ mix(normal, K=2); mu ~ x + g + (1 | s); weights ~ x",
    "chain": "n | series(s) + time(t) ~ hmm(poisson, states=2); transition ~ x",
    "plane": "cbind(y, v) ~ mix(normal, K=2)",
}

QUESTIONS = {
    "Draws and seeds": [
        "mixture.membership(draws=0)",
        "mixture.predict(seed=-1)",
        "mixture.loo()",
        "mixture.modes(starts=0)",
        "mixture.evidence()",
        "mixture.stack()",
        "mixture.sensitivity()",
    ],
    "The other kind of model": [
        "mixture.filtering()",
        "mixture.viterbi()",
        "mixture.forecast(3)",
        "mixture.derive('stationary')",
        "chain.responsibility()",
    ],
    "New rows": [
        "mixture.membership({'x': [1.0]})",
        "mixture.membership({'y': []})",
        "mixture.membership({'y': ['three']})",
        "mixture.membership(3)",
        "regression.membership({'y': [1.0], 'x': [0.5]})",
        "regression.membership({'y': [1.0], 'x': [0.5], 'g': ['d'], 's': ['one']})",
        "regression.membership({'y': [1.0], 'x': [0.5], 'g': ['a'], 's': ['three']})",
        "regression.membership({'y': [1.0], 'x': [float('nan')], 'g': ['a'], 's': ['one']})",
        "regression.predict({'x': [0.5], 'g': [None], 's': ['one']})",
        "chain.smoothing({'n': [1, 2], 't': [1, 2], 'x': [0.0, 1.0]})",
        "chain.smoothing({'n': [1, 2], 's': ['new', 'new'], 't': [1, 1], 'x': [0.0, 1.0]})",
        "chain.filtering({'n': [1, -2], 's': ['new', 'new'], 't': [1, 2], 'x': [0.0, 1.0]})",
        "chain.smoothing({'n': [1.5, 2], 's': ['new', 'new'], 't': [1, 2], 'x': [0.0, 1.0]})",
        "chain.forecast(2)",
        "chain.forecast(newdata={'s': ['one'], 't': [2], 'x': [0.0]})",
        "plane.membership({'y': [1.0, 2.0]})",
    ],
    "Quantities": [
        "mixture.contrast('mu[3] - mu[1]')",
        "mixture.contrast('mu[1] +')",
        "mixture.contrast('nu')",
        "mixture.contrast('mu[2] - mu[1]', rope='a')",
        "mixture.contrast('__import__(\"os\")')",
        "mixture.derive('median')",
        "mixture.effects('x')",
        "regression.effects('z')",
        "regression.effects('x', of='sigma')",
        "regression.effects('x', at={'z': 1})",
        "regression.effects('g', values=['d'])",
        "regression.effects('x', values=[])",
        "mixture.sensitivity(prior='nu')",
    ],
    "Leaving out": [
        "mixture.loo('week')",
        "mixture.loo(ROWS)",
        "mixture.residuals(ROWS)",
        "mixture.derive(ROWS)",
        "mixture.loo('unit')",
        "mixture.loo(some=1)",
        "mixture.loo(first=2)",
        "mixture.kfold(k=1)",
        "chain.waic('observation')",
        "sm.compare({'a': mixture})",
        "sm.sweep('y ~ mix(normal)', ROWS, K=[2])",
    ],
    "Other data": [
        "mixture.model.on({'x': [1.0, 2.0]})",
        "mixture.model.on({'y': [float('nan')] * 3})",
        "mixture.model.on({'y': [1.0]})",
        "regression.model.on(ROWS.assign(g='d'))",
        "regression.model.on(ROWS[['y', 'x']])",
        "sm.fit_many('y ~ mix(normal, K=2)', [ROWS])",
        "sm.fit_many(mixture.model, ROWS)",
        "sm.fit_many(mixture.model, {'y': [1.0, 2.0]})",
        "sm.fit_many(mixture.model, [])",
        "sm.fit_many(mixture.model, 3)",
        "sm.fit_many(mixture.model, {1: ROWS, '1': ROWS})",
        "sm.fit_many(mixture.model, [ROWS], workers=0)",
        "sm.fit_many(mixture.model, [ROWS], warmpu=100)",
        "sm.fit_many(mixture.model, [ROWS], engine='stan')",
        "sm.fit_many(mixture.model, [ROWS], folder='/dev/null')",
    ],
    "Labels": [
        "mixture.relabel()",
        "mixture.relabel('best')",
    ],
    "Pictures and files": [
        "mixture.plot('trase')",
        "mixture.plot('trace', variable='mu')",
        "mixture.plot('trace', variables='nu')",
        "mixture.plot('states')",
        "mixture.plot('effects')",
        "chain.plot('states', series='three')",
        "regression.plot()",
        "mixture.report('/no/such/folder/out.html')",
        "mixture.residuals('forecast')",
        "mixture.check(statistics={'odd': 3})",
    ],
    "Distributions": [
        "mixture.at((0, 0))",
        "mixture.at(5)",
        "regression.at(0)",
        "regression.at(0, at={'z': 1})",
        "mixture.at(0).log_prob([0.0, float('nan')])",
        "mixture.at(0).quantile(1)",
        "mixture.at(0).dataset(10, split='trian')",
        "plane.at(0).log_prob([0.0])",
        "plane.at(0).cdf(0.0)",
        "plane.at(0).marginal(2)",
        "chain.at(0, at={}).log_prob(3)",
        "d.component('norml', mu=0, sigma=1)",
        "d.component('normal', mu=0, sd=1)",
        "d.component('normal', mu=0, sigma=-1)",
        "d.component('binomial', prob=0.5)",
        "d.components('normal', mu=[0, 1], sigma=[1, 2, 3])",
        "d.Mixture([0.5, 0.6], d.components('normal', mu=[0, 1], sigma=1))",
        "d.Mixture([0.5, 0.5], [d.component('normal', mu=0, sigma=1), "
        "d.component('poisson', rate=1)])",
        "d.Mixture([1], d.components('poisson', rate=[1])).score(3)",
        "d.Mixture([1], d.components('von_mises', mu=[0], kappa=1)).mean()",
        "d.gaussian_mixture([1], [[0, 0]], covariance=[[[1, 1], [1, 1]]])",
        "d.HiddenMarkov('first', [[1]], d.components('poisson', rate=[1]))",
        "d.HiddenMarkov('stationary', np.eye(2), d.components('poisson', rate=[1, 2]))",
    ],
    "Draws of other tools": [
        "mixture.model.with_draws({'mu': [[0.0, 1.0]], 'sigma': [[1.0, 1.0]]})",
        "mixture.model.with_draws({**DRAWS, 'mu': [[1.0, 0.0]] * 60})",
        "mixture.model.with_draws({**DRAWS, 'sigma': [[1.0]] * 60})",
        "mixture.model.with_draws(3)",
        "mixture.model.with_draws('nowhere.csv')",
        "mixture.model.with_draws(pd.DataFrame({'mu[1]': ['a']}))",
        "mixture.model.with_draws(DRAWS).diagnose()",
        "mixture.model.transforms().constrain(np.zeros(3))",
        "sm.c2st({'x': np.arange(99.0)}, {'y': np.arange(99.0)})",
        "sm.c2st({'x': np.arange(99.0)}, {'x': np.ones(99)})",
        "sm.c2st({'x': np.arange(9.0)}, {'x': np.arange(99.0)})",
        "sm.c2st({'x': np.append(np.arange(98.0), np.nan)}, {'x': np.arange(99.0)})",
        "sm.c2st(mixture, DRAWS)",
        "sm.c2st({'x': np.arange(99.0)}, {'x': np.arange(99.0)}, recipe='sbi')",
        "sm.c2st({'x': np.arange(99.0)}, {'x': np.arange(99.0)}, variables='y')",
        "sm.mmd({'x': np.arange(99.0)}, {'x': np.arange(99.0)}, permutations=99)",
        "sm.c2st({'x': np.arange(99.0)}, {'x': np.arange(99.0)})",
        "sm.c2st({'x': np.arange(99.0)}, {'x': 1 + np.arange(99.0)})",
        "sm.c2st(mixture, {'mu': np.zeros((99, 3)), 'weights': np.ones((99, 2))})",
        "sm.psis(mixture.model, DRAWS, np.zeros(60))",
        "sm.psis('model', DRAWS, np.zeros(60))",
        "sm.psis(mixture.model, DRAWS, np.zeros(60), scale='log')",
        "sm.referee(DRAWS, mixture)",
        "sm.sbc(mixture.model, 3)",
        "sm.recovery(mixture.model, 0)",
        "sm.sbc(mixture.model, 20, simulator=plane.model)",
    ],
}

DRAWS = {
    "mu": np.tile([0.0, 1.0], (60, 1)),
    "sigma": np.ones((60, 2)),
    "weights": np.full((60, 2), 0.5),
}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    known = {"sm": sm, "d": sm.distributions, "np": np, "pd": pd, "ROWS": ROWS, "DRAWS": DRAWS}
    return {**known, **{n: short_fit(f, ROWS) for n, f in MODELS.items()}}


def test_every_refusal_is_as_the_page_has_it(
    names: dict[str, Any], golden: Callable[[str, str], None]
) -> None:
    page = ["# What a fit says when a question has no answer", ""]
    page += [f"    {name} = sm.fit({formula!r}, ...)" for name, formula in MODELS.items()]
    for heading, questions in QUESTIONS.items():
        page += ["", f"## {heading}"]
        for question in questions:
            with pytest.raises(StanmixError) as caught:
                eval(question, names)
            message = str(caught.value)
            page += ["", f"`{question}`", "", type(caught.value).__name__ + ":", ""]
            page += ["    " + line for line in message.splitlines()]
            for word in ("Traceback", "Error(", "NoneType", "dtype", "ndarray", "object at 0x"):
                assert word not in message, question
    golden("errors/questions.md", "\n".join(line.rstrip() for line in page) + "\n")
