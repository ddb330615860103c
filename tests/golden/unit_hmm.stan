// y | unit(id) ~ hmm(normal(sigma=1), states=2, initial=uniform)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // Log density of all series under a hidden Markov model, the states summed out by the forward
  // algorithm. State probabilities are normalised at every step, so that long series stay finite.
  // first[t] is 1 where a series begins; its state there has distribution `initial`.
  real hmm_log_density(array[] vector log_omega, vector initial, array[] vector transition,
                       array[] int first) {
    int K = size(log_omega);
    int T = num_elements(log_omega[1]);
    vector[T] highest = log_omega[1];
    for (k in 2:K) {
      highest = fmax(highest, log_omega[k]);
    }
    matrix[K, T] omega;
    matrix[K, K] arrive; // column k: where state k leads
    for (k in 1:K) {
      omega[k] = exp(log_omega[k] - highest)';
      arrive[, k] = transition[k];
    }
    vector[T] increment;
    vector[K] state;
    for (t in 1:T) {
      if (first[t]) {
        state = initial .* omega[, t];
      } else {
        state = (arrive * state) .* omega[, t];
      }
      increment[t] = sum(state);
      state /= increment[t];
    }
    return sum(log(increment)) + sum(highest);
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
  int<lower=1> K; // states
  vector[N] y;
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  array[U] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  array[K] simplex[K] transition;
}
model {
  target += normal_lpdf(mu[1] | -1, 1);
  target += normal_lpdf(mu[2] | 1, 1);
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | rep_vector(2, K));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], 1);
  }

  target += hmm_log_density(sum_units(log_omega, unit_size), rep_vector(1.0 / K, K), transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], 1);
    }
  }
}
