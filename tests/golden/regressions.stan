// y ~ mix(normal, K=3)
// mu ~ poly(x, 2) + subject
// sigma ~ x
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, vector mu, vector sigma) {
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

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=1> P_mu; // terms of mu: poly(x, 2)[1], poly(x, 2)[2], subject[T.b]
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  int<lower=1> P_sigma; // terms of sigma: x
  matrix[N, P_sigma] X_sigma; // less their means
  vector[P_sigma] X_sigma_mean;
  vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  array[K] vector[P_mu] slope_mu;
  vector<lower=0>[K] sigma;
  array[K] vector[P_sigma] slope_sigma;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  for (k in {1, 3}) {
    target += normal_lpdf(slope_mu[k] | rep_vector(0, P_mu), beta_mu_scale);
  }
  target += normal_lpdf(slope_mu[2][{1, 2}] | 0, beta_mu_scale[{1, 2}]);
  target += normal_lpdf(slope_mu[2][3] | 0, 1);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  for (k in 1:K) {
    target += student_t_lpdf(slope_sigma[k][1] | 3, 0, 1);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k];
    vector[N] sigma_by_row = sigma[k] * exp(X_sigma * slope_sigma[k]);
    log_omega[k] = normal_log_omega(y, mu_by_row, sigma_by_row);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[K] vector[P_sigma + 1] beta_sigma;
  for (k in 1:K) {
    beta_sigma[k] = from_means(log(sigma[k]), X_sigma_mean, slope_sigma[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k];
      vector[N] sigma_by_row = sigma[k] * exp(X_sigma * slope_sigma[k]);
      log_omega[k] = normal_log_omega(y, mu_by_row, sigma_by_row);
    }
  }
}
