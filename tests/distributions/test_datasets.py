"""Data sets that are always the same, and start the same however long they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix.distributions import HiddenMarkov, Mixture, component, components, gmm40

MOVES = [[0.9, 0.1], [0.3, 0.7]]
TARGETS = {
    "mixture": Mixture([0.3, 0.7], components("gamma", mu=[1, 9], shape=2.0)),
    "columns": Mixture([1.0], [component("normal", mu=0, sigma=1) & component("poisson", rate=3)]),
    "gmm40": gmm40(3),
}
CHAIN = HiddenMarkov("stationary", MOVES, components("normal", mu=[0, 9], sigma=1))
PLANE = HiddenMarkov([1, 0], MOVES, components("student", mu=[[0, 0], [3, 3]], sigma=1, nu=5))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("n", [1, 7, 1023, 1024, 1025, 2048])
def test_a_longer_data_set_starts_with_the_shorter_one(target: Mixture, n: int) -> None:
    short, long = target.dataset(n, seed=5), target.dataset(3000, seed=5)
    assert short.values.shape == (n, *target.event_shape)
    assert (short.values == long.values[:n]).all()
    assert (short.states == long.states[:n]).all()


@pytest.mark.parametrize("target", [CHAIN, PLANE], ids=["number", "columns"])
@pytest.mark.parametrize(("n", "steps"), [(1, 1), (3, 64), (127, 65), (128, 5), (129, 130)])
def test_more_and_longer_series_start_with_fewer_and_shorter_ones(
    target: HiddenMarkov, n: int, steps: int
) -> None:
    short, long = target.dataset(n, steps, seed=5), target.dataset(300, 200, seed=5)
    assert short.values.shape == (n, steps, *target.event_shape)
    assert (short.values == long.values[:n, :steps]).all()
    assert (short.states == long.states[:n, :steps]).all()


def test_splits_seeds_and_blocks_are_independent() -> None:
    target = TARGETS["mixture"]
    drawn = [
        target.dataset(2048, split=split, seed=seed).values
        for split in ("train", "validation", "test")
        for seed in (0, 1, 2**32, 2**64)
    ]
    blocks = np.stack([half for values in drawn for half in (values[:1024], values[1024:])])
    assert len(np.unique(blocks)) == blocks.size
    correlations = np.corrcoef(np.log(blocks))[np.triu_indices(len(blocks), 1)]
    # Standard errors of 1 / 32, of which the largest of 276 is expected near 3.
    assert np.abs(correlations).max() < 4 / 32
    assert stats.kstest(blocks.ravel(), target.cdf).pvalue > 0.001


def test_a_data_set_is_what_it_was() -> None:
    values, states = gmm40().dataset(2, split="test", seed=11)
    assert states.tolist() == [11, 3]
    drawn = [[14.52122353653322, 32.679026481795226], [-14.927729003716806, 10.16895184182607]]
    np.testing.assert_allclose(values, drawn, rtol=1e-12)
    values, states = CHAIN.dataset(2, 2, seed=11)
    assert states.tolist() == [[1, 1], [1, 1]]
    drawn = [[-1.0282768841377565, 1.3640730269083852], [-0.06937852894215171, -1.15995746827617]]
    np.testing.assert_allclose(values, drawn, rtol=1e-12)


def test_what_is_no_data_set_is_refused() -> None:
    for target, shape in ((TARGETS["mixture"], (5,)), (CHAIN, (5, 5))):
        with pytest.raises(sm.SpecError, match="`train`, `validation`, `test`, not 'trian'"):
            target.dataset(*shape, split="trian")
        with pytest.raises(sm.SpecError, match="`seed`"):
            target.dataset(*shape, seed=-1)
        with pytest.raises(sm.SpecError, match="`seed`"):
            target.sample(*shape, seed=0.5)
        for bad in (0, -1, 2.0, None, True):
            with pytest.raises(sm.SpecError, match="`n` must be a whole number"):
                target.dataset(bad, *shape[1:])
            with pytest.raises(sm.SpecError, match="`n` must be a whole number"):
                target.sample(bad, *shape[1:])
    with pytest.raises(sm.SpecError, match="`steps` must be a whole number"):
        CHAIN.sample(1, 0)
