from __future__ import annotations

import json

import numpy as np
import pytest
import stanli

import stanmix as sm
from stanmix.engines import columns
from stanmix.engines.cmdstan import CmdStan
from stanmix.transforms.bijections import Each
from stanmix.transforms.simplexes import Simplex
from stanmix.unconstrained import target_of
from tests.cases import CASES, Case

STUDIES = [case for case in CASES if case.name in ("units", "unit_hmm", "switches")]
"""The three case studies, with few data."""


def build(case: Case) -> sm.Model:
    return sm.model(case.formula, case.data, priors=case.priors)


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore::stanmix.IdentifiabilityWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_points_are_those_on_which_stan_samples_every_model(case: Case) -> None:
    model = build(case)
    transforms = model.transforms()
    mir = stanli.stan_to_mir(model.code)
    stan = stanli.bridgestan_model(mir=mir, data=dict(model.data), seed=1)
    points = np.random.default_rng(1).normal(size=(3, stan.param_unc_num()))
    everything = {"include_tp": True, "include_gq": True}
    names = [name for name in stan.param_names(**everything) if name]
    rows = [stan.param_constrain(p, **everything, rng=stan.new_rng(1)) for p in points]
    theirs = columns.unflatten(names, np.array(rows))
    ours = transforms.constrain(points)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-10, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(transforms.unconstrain(theirs), points, rtol=1e-9, atol=1e-9)


@pytest.mark.engine
@pytest.mark.parametrize("case", STUDIES, ids=lambda case: case.name)
def test_cmdstan_has_the_same_density_at_constrained_points(case: Case, cmdstan: CmdStan) -> None:
    model = build(case)
    transforms, target = model.transforms(), target_of(model)
    points = np.random.default_rng(2).normal(scale=0.5, size=(4, transforms.size))
    # Its simplexes are made by breaking sticks, of which the volume has no root of their length.
    simplexes = [part.bijection for part in transforms.parts if part.bijection.name == "simplex"]
    lengths = [b.shape[-1] for b in simplexes for _ in range(b.lead[0] if type(b) is Each else 1)]
    assert simplexes and all(isinstance(getattr(b, "inner", b), Simplex) for b in simplexes)
    constant = 0.5 * np.log(lengths).sum()
    for point, own in zip(points, target.log_density(points), strict=True):
        theirs, _ = cmdstan.log_density(model.program, model.data, transforms.constrain(point))
        np.testing.assert_allclose(theirs + constant, own, rtol=1e-10)


def test_a_bound_that_is_data_is_that_of_the_data() -> None:
    data = {"rt": [0.5, 0.8, 1.1, 0.7]}
    transforms = sm.model("rt ~ mix(wald, K=1, share=ndt)", data).transforms()
    (ndt,) = (part for part in transforms.parts if part.name == "ndt")
    assert ndt.bijection.describe() == {"lower": 0.0, "upper": 0.5}


def test_what_is_exported_says_names_order_and_transforms() -> None:
    described = json.loads(build(STUDIES[2]).transforms().to_json())
    assert [(d["name"], d["size"], d["transform"]) for d in described] == [
        ("threshold", 2, "ordered"),
        ("drift_1", 1, "lower"),
        ("drift_2", 2, "ordered"),
        ("ndt", 1, "between"),
        ("transition", 2, "simplex"),
    ]
    assert described[2]["labels"] == [["1", "2"]]
    assert described[0]["lower"] == 0
    assert described[-1]["shape"] == [2, 2]


def test_missing_and_misshaped_parameters_are_refused() -> None:
    transforms = sm.model("y ~ mix(poisson, K=2)", {"y": [0, 1, 7, 9]}).transforms()
    with pytest.raises(sm.DataError, match="no values of `weights`"):
        transforms.unconstrain({"rate": np.ones((3, 2))})
    with pytest.raises(sm.DataError, match=r"`weights` has the shape \(3,\), and must have \(3, 2"):
        transforms.unconstrain({"rate": np.ones((3, 2)), "weights": np.ones(3)})
    with pytest.raises(sm.DataError, match="A point has 3 numbers"):
        transforms.constrain(np.zeros(4))
    with pytest.raises(sm.DataError, match="A point has 3 numbers"):
        transforms.log_jacobian(np.array(0.0))
