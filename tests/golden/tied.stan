// cbind(y, x) ~ hmm(normal, states=2, cov=tied, order=none)
functions {
  // Squared distance of each observation from the location, in units of its scale and direction. The
  // inverse of the factor is as small as the covariance, and its product with the data is the fastest
  // way to independent columns.
  vector correlated_distance(matrix y, vector mu, vector sigma, matrix corr) {
    int D = rows(y);
    matrix[D, D] whiten
      = mdivide_left_tri_low(diag_pre_multiply(sigma, corr), identity_matrix(D));
    vector[cols(y)] distance = zeros_vector(cols(y));
    for (d in 1:D) {
      distance += square(whiten[d, 1:d] * y[1:d] - whiten[d, 1:d] * mu[1:d])';
    }
    return distance;
  }

  // Sum of the logarithms of the scales.
  real log_volume(vector sigma) {
    return sum(log(sigma));
  }

  // Log density of each observation.
  vector multi_normal_log_omega(matrix y, vector mu, vector sigma, matrix corr) {
    return -0.5 * correlated_distance(y, mu, sigma, corr)
           - (log_volume(sigma) + sum(log(diagonal(corr))) + 0.5 * rows(y) * log(2 * pi()));
  }

  // LKJ prior of a correlation matrix with Cholesky factor L, times exp(-guard * trace(inverse)).
  // LKJ alone lets the smallest eigenvalue reach 0, where collinear rows make the likelihood infinite.
  // Not normalised in eta and guard.
  real guarded_lkj_lpdf(matrix L, real eta, real guard) {
    int D = rows(L);
    return lkj_corr_cholesky_lpdf(L | eta)
           - guard * sum(square(mdivide_left_tri_low(L, identity_matrix(D))));
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
  int<lower=1> D; // columns of the response
  matrix[D, N] y; // y, x
  vector[D] y_center; // median of y, x
  vector[D] y_scale; // standard deviation of y, x
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] vector[D] mu;
  vector<lower=0>[D] sigma;
  cholesky_factor_corr[D] corr_cholesky;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  for (k in 1:K) {
    target += normal_lpdf(mu[k] | y_center, 2.5 * y_scale);
  }
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += guarded_lkj_lpdf(corr_cholesky | 2, 0.01);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = multi_normal_log_omega(y, mu[k], sigma, corr_cholesky);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  matrix[D, D] corr = multiply_lower_tri_self_transpose(corr_cholesky);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = multi_normal_log_omega(y, mu[k], sigma, corr_cholesky);
    }
  }
}
