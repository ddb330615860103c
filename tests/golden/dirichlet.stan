// cbind(a, b, c) ~ hmm(dirichlet, states=2)
// phi ~ rt
functions {
  // Log density of each observation.
  vector dirichlet_log_omega(matrix y, vector mu, vector phi) {
    matrix[rows(y), cols(y)] log_share = log(y);
    vector[cols(y)] log_density
      = phi .* (log_share' * mu) - log_share' * ones_vector(rows(y)) + lgamma(phi);
    for (d in 1:rows(y)) {
      log_density -= lgamma(mu[d] * phi);
    }
    return log_density;
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
  int<lower=1> D; // columns of the response
  matrix[D, N] y; // a, b, c
  int<lower=0> N_y; // rows that have y
  array[N_y] int<lower=1, upper=N> rows_y;
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=1> P_phi; // terms of phi: rt
  matrix[N, P_phi] X_phi; // less their means
  vector[P_phi] X_phi_mean;
  vector[P_phi] beta_phi_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] simplex[D] mu;
  vector<lower=0>[K] phi;
  array[K] vector[P_phi] slope_phi;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  for (k in {1}) {
    target += dirichlet_lpdf(mu[k] | rep_vector(1, D));
  }
  target += dirichlet_lpdf(mu[2] | [3, 2, 1]');
  target += gamma_lpdf(phi | 2, 0.1);
  for (k in 1:K) {
    target += normal_lpdf(slope_phi[k] | rep_vector(0, P_phi), beta_phi_scale);
  }
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] phi_by_row = phi[k] * exp(X_phi * slope_phi[k]);
    log_omega[k] = at_rows(dirichlet_log_omega(y[, rows_y], mu[k], phi_by_row[rows_y]), rows_y, N);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[K] vector[P_phi + 1] beta_phi;
  for (k in 1:K) {
    beta_phi[k] = from_means(log(phi[k]), X_phi_mean, slope_phi[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] phi_by_row = phi[k] * exp(X_phi * slope_phi[k]);
      log_omega[k] = at_rows(dirichlet_log_omega(y[, rows_y], mu[k], phi_by_row[rows_y]), rows_y, N);
    }
  }
}
