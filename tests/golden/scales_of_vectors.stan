// cbind(y, x) ~ mix(normal, K=2, cov=tied)
// sigma ~ rt
functions {
  // Squared length of deviations that vary more than the data, in units of the Cholesky factor of a
  // covariance.
  vector factored_distance(matrix deviation, matrix factor) {
    return columns_dot_self(mdivide_left_tri_low(factor, deviation))';
  }

  // Deviations of each observation from the location.
  matrix deviations(matrix y, vector mu) {
    matrix[rows(y), cols(y)] deviation;
    for (d in 1:rows(y)) {
      deviation[d] = y[d] - mu[d];
    }
    return deviation;
  }

  // Squared distance of each observation in units of scales by observation.
  vector correlated_distance(matrix y, vector mu, matrix sigma, matrix corr) {
    return factored_distance(deviations(y, mu) ./ sigma, corr);
  }

  // Sum of the logarithms of the scales of each observation.
  vector log_volume(matrix sigma) {
    return (ones_row_vector(rows(sigma)) * log(sigma))';
  }

  // Log density of each observation.
  vector multi_normal_log_omega(matrix y, vector mu, matrix sigma, matrix corr) {
    return -0.5 * correlated_distance(y, mu, sigma, corr)
           - (log_volume(sigma) + sum(log(diagonal(corr))) + 0.5 * rows(y) * log(2 * pi()));
  }

  // Vectors, one a component: element `place` from `increasing`, the others from `rest`.
  array[] vector insert_ordered(vector increasing, array[] vector rest, int place) {
    int K = num_elements(increasing);
    int D = num_elements(rest[1]) + 1;
    array[K] vector[D] whole;
    for (k in 1:K) {
      whole[k] = append_row(append_row(head(rest[k], place - 1), increasing[k]),
                            tail(rest[k], D - place));
    }
    return whole;
  }

  // LKJ prior of a correlation matrix with Cholesky factor L, times exp(-guard * trace(inverse)).
  // LKJ alone lets the smallest eigenvalue reach 0, where collinear rows make the likelihood infinite.
  // Not normalised in eta and guard.
  real guarded_lkj_lpdf(matrix L, real eta, real guard) {
    int D = rows(L);
    return lkj_corr_cholesky_lpdf(L | eta)
           - guard * sum(square(mdivide_left_tri_low(L, identity_matrix(D))));
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

  // Coefficients of each element of a vector on the scale of the covariates, the intercept first.
  array[] vector each_from_means(vector at_means, vector means, array[] vector slopes) {
    array[num_elements(at_means)] vector[num_elements(means) + 1] coefficients;
    for (d in 1:num_elements(at_means)) {
      coefficients[d] = from_means(at_means[d], means, slopes[d]);
    }
    return coefficients;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  int<lower=1> D; // columns of the response
  matrix[D, N] y; // y, x
  vector[D] y_center; // median of y, x
  vector[D] y_scale; // standard deviation of y, x
  int<lower=1, upper=D> order_column; // the column whose locations increase
  int<lower=1> P_sigma; // terms of sigma: rt
  matrix[N, P_sigma] X_sigma; // less their means
  vector[P_sigma] X_sigma_mean;
  vector[P_sigma] beta_sigma_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  vector<lower=0>[D] sigma;
  array[D] vector[P_sigma] slope_sigma;
  cholesky_factor_corr[D] corr_cholesky;
  simplex[K] weights;
}
transformed parameters {
  array[K] vector[D] mu = insert_ordered(mu_order, mu_rest, order_column);
}
model {
  for (k in 1:K) {
    target += normal_lpdf(mu[k] | y_center, 2.5 * y_scale);
  }
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  for (d in 1:D) {
    target += normal_lpdf(slope_sigma[d] | rep_vector(0, P_sigma), beta_sigma_scale);
  }
  target += guarded_lkj_lpdf(corr_cholesky | 2, 0.01);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  matrix[D, N] sigma_by_row;
  for (d in 1:D) {
    sigma_by_row[d] = (sigma[d] * exp(X_sigma * slope_sigma[d]))';
  }
  for (k in 1:K) {
    log_omega[k] = multi_normal_log_omega(y, mu[k], sigma_by_row, corr_cholesky);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[D] vector[P_sigma + 1] beta_sigma = each_from_means(log(sigma), X_sigma_mean, slope_sigma);
  matrix[D, D] corr = multiply_lower_tri_self_transpose(corr_cholesky);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    matrix[D, N] sigma_by_row;
    for (d in 1:D) {
      sigma_by_row[d] = (sigma[d] * exp(X_sigma * slope_sigma[d]))';
    }
    for (k in 1:K) {
      log_omega[k] = multi_normal_log_omega(y, mu[k], sigma_by_row, corr_cholesky);
    }
  }
}
