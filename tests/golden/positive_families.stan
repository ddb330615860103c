// positive ~ hmm(weibull + loglogistic + frechet)
functions {
  // x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
  // for rows that `restrict_to_positive` then takes out. (stanli cannot make a branch that depends on
  // a parameter where there are no rows.)
  vector positive_or_one(vector x) {
    vector[num_elements(x)] positive = x;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          positive[n] = 1;
        }
      }
    }
    return positive;
  }

  // The log density where x is positive, minus infinity elsewhere.
  vector restrict_to_positive(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // exp(x), at most 1e299: beyond, a density is 0 for every purpose, and stays finite.
  vector bounded_exp(vector x) {
    return exp(fmin(x, 688));
  }

  // Log density of each row; minus infinity unless y is positive.
  vector weibull_log_omega(vector y, real scale, real shape) {
    vector[num_elements(y)] log_y = log(positive_or_one(y));
    vector[num_elements(y)] s = shape .* (log_y - log(scale));
    return restrict_to_positive(log(shape) - log_y + s - bounded_exp(s), y);
  }

  // Log density of each row; minus infinity unless y is positive.
  vector loglogistic_log_omega(vector y, real scale, real shape) {
    vector[num_elements(y)] log_y = log(positive_or_one(y));
    vector[num_elements(y)] s = abs(shape .* (log_y - log(scale)));
    return restrict_to_positive(log(shape) - log_y - s - 2 * log1p_exp(-s), y);
  }

  // Log density of each row; minus infinity unless y is positive.
  vector frechet_log_omega(vector y, real scale, real shape) {
    vector[num_elements(y)] log_y = log(positive_or_one(y));
    vector[num_elements(y)] s = shape .* (log_y - log(scale));
    return restrict_to_positive(log(shape) - log_y - s - bounded_exp(-s), y);
  }

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
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
  vector[N] y; // positive
  real y_mean; // mean of positive
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector<lower=0>[K] scale;
  vector<lower=0>[K] shape;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  target += exponential_lpdf(scale | 1 / y_mean);
  target += gamma_lpdf(shape | 2, 0.1);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  log_omega[1] = weibull_log_omega(y, scale[1], shape[1]);
  log_omega[2] = loglogistic_log_omega(y, scale[2], shape[2]);
  log_omega[3] = frechet_log_omega(y, scale[3], shape[3]);

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = weibull_log_omega(y, scale[1], shape[1]);
    log_omega[2] = loglogistic_log_omega(y, scale[2], shape[2]);
    log_omega[3] = frechet_log_omega(y, scale[3], shape[3]);
  }
}
