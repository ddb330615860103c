// y | series(subject) ~ hmm(normal, states=2)
// mu ~ x
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, vector mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
  }

  // Log densities of N rows, of which only some have a value; the others say nothing.
  vector at_rows(vector log_density, array[] int rows, int N) {
    vector[N] all_rows = zeros_vector(N);
    all_rows[rows] = log_density;
    return all_rows;
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

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] y;
  int<lower=0> N_y; // rows that have y
  array[N_y] int<lower=1, upper=N> rows_y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=1> P_mu; // terms of mu: x
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  array[K] vector[P_mu] slope_mu;
  vector<lower=0>[K] sigma;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  for (k in 1:K) {
    target += normal_lpdf(slope_mu[k] | rep_vector(0, P_mu), beta_mu_scale);
  }
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k];
    log_omega[k] = at_rows(normal_log_omega(y[rows_y], mu_by_row[rows_y], sigma[k]), rows_y, N);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[K] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k];
      log_omega[k] = at_rows(normal_log_omega(y[rows_y], mu_by_row[rows_y], sigma[k]), rows_y, N);
    }
  }
}
