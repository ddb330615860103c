// cbind(y, x) ~ mix(normal, K=2, cov=diag)
// mu ~ rt
// sigma ~ rt
functions {
  // Where observations have a column: 1, else 0. `arranged` lists them by pattern, pattern_size[p] of
  // each, and seen[p] has 1 for every column that they have, else 0.
  matrix has_column(array[,] int seen, array[] int arranged, array[] int pattern_size) {
    matrix[size(seen[1]), size(arranged)] has;
    int start = 1;
    for (p in 1:size(seen)) {
      has[, segment(arranged, start, pattern_size[p])]
        = rep_matrix(to_vector(seen[p]), pattern_size[p]);
      start += pattern_size[p];
    }
    return has;
  }

  // Squared distance of each observation from the location, each column in units of its scale.
  vector diagonal_distance(matrix y, vector mu, matrix sigma) {
    vector[cols(y)] distance = zeros_vector(cols(y));
    for (d in 1:rows(y)) {
      distance += square((y[d] - mu[d]) ./ sigma[d])';
    }
    return distance;
  }

  // Deviations of each observation from the location.
  matrix deviations(matrix y, matrix mu) {
    matrix[rows(y), cols(y)] deviation;
    for (d in 1:rows(y)) {
      deviation[d] = y[d] - mu[d];
    }
    return deviation;
  }

  // Sum of the logarithms of the scales by observation of the columns that each has.
  vector log_volume_of(matrix has, matrix sigma) {
    return (has .* log(sigma))' * ones_vector(rows(has));
  }

  // Log density of the columns that each observation has: independent.
  vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                        array[] int pattern_size, matrix mu, matrix sigma) {
    matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
    return -0.5 * diagonal_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma)
           - (log_volume_of(has, sigma) + has' * rep_vector(0.5 * log(2 * pi()), rows(y)));
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
  int<lower=1> patterns_y; // which columns a row may have
  array[patterns_y, D] int<lower=0, upper=1> seen_y;
  array[patterns_y] int<lower=1> pattern_size_y; // rows that have them
  array[N] int<lower=1, upper=N> arranged_y; // rows by pattern
  vector[D] y_center; // median of y, x
  vector[D] y_scale; // standard deviation of y, x
  int<lower=1, upper=D> order_column; // the column whose locations increase
  int<lower=1> P_mu; // terms of mu: rt
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  int<lower=1> P_sigma; // terms of sigma: rt
  matrix[N, P_sigma] X_sigma; // less their means
  vector[P_sigma] X_sigma_mean;
  array[D] vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  vector[P_sigma] beta_sigma_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  array[K, D] vector[P_mu] slope_mu;
  array[K] vector<lower=0>[D] sigma;
  array[K, D] vector[P_sigma] slope_sigma;
  simplex[K] weights;
}
transformed parameters {
  array[K] vector[D] mu = insert_ordered(mu_order, mu_rest, order_column);
}
model {
  for (k in 1:K) {
    target += normal_lpdf(mu[k] | y_center, 2.5 * y_scale);
  }
  for (k in 1:K) {
    for (d in 1:D) {
      target += normal_lpdf(slope_mu[k, d] | rep_vector(0, P_mu), beta_mu_scale[d]);
    }
  }
  for (k in 1:K) {
    target += inv_gamma_lpdf(sigma[k] | rep_vector(3, D), y_scale);
  }
  for (k in 1:K) {
    for (d in 1:D) {
      target += normal_lpdf(slope_sigma[k, d] | rep_vector(0, P_sigma), beta_sigma_scale);
    }
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    matrix[D, N] mu_by_row;
    for (d in 1:D) {
      mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d])';
    }
    matrix[D, N] sigma_by_row;
    for (d in 1:D) {
      sigma_by_row[d] = (sigma[k][d] * exp(X_sigma * slope_sigma[k][d]))';
    }
    log_omega[k] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row, sigma_by_row);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K, D] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = each_from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[K, D] vector[P_sigma + 1] beta_sigma;
  for (k in 1:K) {
    beta_sigma[k] = each_from_means(log(sigma[k]), X_sigma_mean, slope_sigma[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      matrix[D, N] mu_by_row;
      for (d in 1:D) {
        mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d])';
      }
      matrix[D, N] sigma_by_row;
      for (d in 1:D) {
        sigma_by_row[d] = (sigma[k][d] * exp(X_sigma * slope_sigma[k][d]))';
      }
      log_omega[k] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row, sigma_by_row);
    }
  }
}
