// count | series(subject) + time(t) ~ hmm(poisson, states=3, initial=stationary)
functions {
  // The log density where x, made of data, is not negative, minus infinity elsewhere.
  vector restrict_to_nonnegative(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (min(x) < 0) {
      vector[num_elements(x)] value = x;
      for (n in 1:num_elements(x)) {
        if (value[n] < 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // Log mass of each row; minus infinity where y is negative.
  vector poisson_log_omega(array[] int y, real rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // The stationary distribution of a chain: delta with delta = delta * transition, which solves
  // (I - transition + 1)' delta = 1 (Zucchini, MacDonald and Langrock 2016, section 1.3).
  vector stationary(array[] vector transition) {
    int K = size(transition);
    matrix[K, K] system = add_diag(rep_matrix(1, K, K), 1);
    for (k in 1:K) {
      system[, k] -= transition[k];
    }
    return system \ rep_vector(1, K);
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  array[N] int<lower=0> y; // count
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] rate;
  array[K] simplex[K] transition;
}
transformed parameters {
  vector[K] initial = stationary(transition);
}
model {
  target += gamma_lpdf(rate | 1, 0.01);
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | rep_vector(1, K));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = poisson_log_omega(y, rate[k]);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = poisson_log_omega(y, rate[k]);
    }
  }
}
