// cbind(positive, y) ~ hmm(exponential & normal, states=2)
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

  // Log density of each row; minus infinity where y is negative.
  vector exponential_log_omega(vector y, real rate) {
    return restrict_to_nonnegative(log(rate) - rate .* y, y);
  }

  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
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
  vector[N] y_positive; // positive
  vector[N] y_y; // y
  real y_positive_mean; // mean of positive
  real y_y_center; // median of y
  real y_y_scale; // standard deviation of y
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] rate_positive;
  vector[K] mu_y;
  vector<lower=0>[K] sigma_y;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  target += exponential_lpdf(rate_positive | y_positive_mean);
  target += normal_lpdf(mu_y | y_y_center, 2.5 * y_y_scale);
  target += inv_gamma_lpdf(sigma_y | 3, y_y_scale);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = exponential_log_omega(y_positive, rate_positive[k])
                   + normal_log_omega(y_y, mu_y[k], sigma_y[k]);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = exponential_log_omega(y_positive, rate_positive[k])
                     + normal_log_omega(y_y, mu_y[k], sigma_y[k]);
    }
  }
}
