// y | unit(id) ~ mix(normal(sigma=1), K=3)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // The sum of log densities, minus infinity where -1e300 stands for that in one.
  real sum_log_density(vector log_density) {
    real total = sum(log_density);
    return total < -1e299 ? negative_infinity() : total;
  }

  // Log density of each observation under a mixture, the components summed out:
  // log(sum over k of weights[k] * exp(log_omega[k, n])).
  // log_sum_exp of two minus infinities has no gradient, so -1e300 stands in for the first.
  vector mixture_log_density(array[] vector log_omega, vector weights) {
    vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
    if (min(total) < -1e300) {
      total = fmax(total, -1e300);
    }
    for (k in 2:size(log_omega)) {
      total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
    }
    return total;
  }

  // Log densities of units, whose rows share a state: sums over the rows of each unit.
  array[] vector sum_units(array[] vector log_omega, array[] int unit_size) {
    array[size(log_omega)] vector[size(unit_size)] total;
    for (k in 1:size(log_omega)) {
      int start = 1;
      for (u in 1:size(unit_size)) {
        total[k][u] = sum(segment(log_omega[k], start, unit_size[u]));
        start += unit_size[u];
      }
    }
    return total;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu[1] | -2, 1);
  target += normal_lpdf(mu[2] | 0, 1);
  target += normal_lpdf(mu[3] | 2, 1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], 1);
  }

  target += sum_log_density(mixture_log_density(sum_units(log_omega, unit_size), weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], 1);
    }
  }
}
