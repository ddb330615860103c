"""A program with every type of parameter, for the tests of both engines."""

import numpy as np
import pytest

from stanmix.program.program import StanProgram

CODE = """
data {
  int<lower=1> K;
  real<lower=0> scale;
  int<lower=0, upper=1> emit;
}
parameters {
  real a;
  real<lower=0, upper=2> b;
  simplex[K] w;
  ordered[K] mu;
  positive_ordered[K] rate;
  vector<lower=0>[K] sigma;
  array[2] simplex[3] rows;
  array[2] vector[3] x;
  matrix[2, 3] m;
  cholesky_factor_corr[3] L;
  vector[K - 2] none;
}
transformed parameters {
  vector[K] log_w = log(w);
  array[2] matrix[2, 3] both = {m, 2 * m};
}
model {
  target += normal_lpdf(a | 0, scale);
  target += normal_lpdf(mu | 0, 1);
  target += exponential_lpdf(rate | 1);
  target += exponential_lpdf(sigma | 1);
  target += lkj_corr_cholesky_lpdf(L | 2);
  for (i in 1 : 2) {
    target += normal_lpdf(x[i] | 0, 1);
    target += normal_lpdf(m[i] | i, 1);
  }
}
generated quantities {
  matrix[emit ? 2 : 0, K] shifted;
  real noise;
  if (emit) {
    for (k in 1 : K) {
      shifted[, k] = [mu[k] + 1, mu[k] + 2]';
    }
  }
  noise = normal_rng(0, 1);
}
"""

PARAMETERS = ("a", "b", "w", "mu", "rate", "sigma", "rows", "x", "m", "L", "none")


@pytest.fixture(scope="session")
def everything():
    return StanProgram(CODE, PARAMETERS)


@pytest.fixture(scope="session")
def everything_data():
    return {"K": 2, "scale": 1.0, "emit": 0}


@pytest.fixture(scope="session")
def everything_inits():
    """Constrained values, other ones for each of two chains."""

    def values(seed):
        rng = np.random.default_rng(seed)
        corr = np.eye(3) + rng.uniform(-0.3, 0.3) * (1 - np.eye(3))
        return {
            "a": np.array(0.0),
            "b": rng.uniform(0, 2, ()),
            "w": rng.dirichlet(np.ones(2)),
            "mu": np.sort(rng.normal(size=2)),
            "rate": np.sort(rng.exponential(size=2)),
            "sigma": rng.exponential(size=2),
            "rows": rng.dirichlet(np.ones(3), 2),
            "x": rng.normal(size=(2, 3)),
            "m": rng.normal(size=(2, 3)),
            "L": np.linalg.cholesky(corr),
            "none": np.empty(0),
        }

    return [values(1), values(2)]
