// cbind(y, x) ~ mix(student + normal, cov=diag)
// mu ~ rt
// nu ~ rt
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
  vector diagonal_distance(matrix y, vector mu, vector sigma) {
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

  // Where observations have just d columns: 1, else 0.
  vector has_columns(array[,] int seen, array[] int arranged, array[] int pattern_size, int d) {
    vector[size(arranged)] has = zeros_vector(size(arranged));
    int start = 1;
    for (p in 1:size(seen)) {
      if (sum(seen[p]) == d) {
        has[segment(arranged, start, pattern_size[p])] = ones_vector(pattern_size[p]);
      }
      start += pattern_size[p];
    }
    return has;
  }

  // Log density of D columns in units of their scale; the beta function keeps its digits where nu is
  // large.
  vector multi_student_at(vector distance, int D, vector nu) {
    return -0.5 * (nu + D) .* log1p(distance ./ nu)
           - (0.5 * D * log(pi() * nu) + lbeta(0.5 * D, 0.5 * nu) - lgamma(0.5 * D));
  }

  // Log density of the columns that each observation has, in units of their scale.
  vector partial_multi_student_at(vector distance, array[,] int seen, array[] int arranged,
                                  array[] int pattern_size, vector nu) {
    vector[size(arranged)] log_density = zeros_vector(size(arranged));
    for (d in 1:size(seen[1])) {
      log_density += has_columns(seen, arranged, pattern_size, d) .* multi_student_at(distance, d, nu);
    }
    return log_density;
  }

  // Sum of the logarithms of the scales of the columns that each observation has.
  vector log_volume_of(matrix has, vector sigma) {
    return has' * log(sigma);
  }

  // Log density of the columns that each observation has: uncorrelated.
  vector multi_student_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                         array[] int pattern_size, matrix mu, vector sigma, vector nu) {
    matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
    vector[cols(y)] distance
      = diagonal_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma);
    return partial_multi_student_at(distance, seen, arranged, pattern_size, nu)
           - log_volume_of(has, sigma);
  }

  // Log density of the columns that each observation has: independent.
  vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                        array[] int pattern_size, matrix mu, vector sigma) {
    matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
    return -0.5 * diagonal_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma)
           - (log_volume_of(has, sigma) + has' * rep_vector(0.5 * log(2 * pi()), rows(y)));
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
  int<lower=1> P_mu; // terms of mu: rt
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  int<lower=1> P_nu_1; // terms of nu_1: rt
  matrix[N, P_nu_1] X_nu_1; // less their means
  vector[P_nu_1] X_nu_1_mean;
  array[D] vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  vector[P_nu_1] beta_nu_1_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] vector[D] mu;
  array[K, D] vector[P_mu] slope_mu;
  array[K] vector<lower=0>[D] sigma;
  real<lower=1> nu_1;
  vector[P_nu_1] slope_nu_1;
  simplex[K] weights;
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
  target += gamma_lpdf(nu_1 | 2, 0.1) - gamma_lccdf(1 | 2, 0.1);
  target += normal_lpdf(slope_nu_1 | 0, beta_nu_1_scale);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  vector[N] nu_1_by_row = 1 + (nu_1 - 1) * exp(X_nu_1 * slope_nu_1);
  matrix[D, N] mu_by_row_1;
  for (d in 1:D) {
    mu_by_row_1[d] = (mu[1][d] + X_mu * slope_mu[1][d])';
  }
  log_omega[1] = multi_student_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row_1, sigma[1], nu_1_by_row);
  matrix[D, N] mu_by_row_2;
  for (d in 1:D) {
    mu_by_row_2[d] = (mu[2][d] + X_mu * slope_mu[2][d])';
  }
  log_omega[2] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row_2, sigma[2]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K, D] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = each_from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  vector[P_nu_1 + 1] beta_nu_1 = from_means(log(nu_1 - 1), X_nu_1_mean, slope_nu_1);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    vector[N] nu_1_by_row = 1 + (nu_1 - 1) * exp(X_nu_1 * slope_nu_1);
    matrix[D, N] mu_by_row_1;
    for (d in 1:D) {
      mu_by_row_1[d] = (mu[1][d] + X_mu * slope_mu[1][d])';
    }
    log_omega[1] = multi_student_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row_1, sigma[1], nu_1_by_row);
    matrix[D, N] mu_by_row_2;
    for (d in 1:D) {
      mu_by_row_2[d] = (mu[2][d] + X_mu * slope_mu[2][d])';
    }
    log_omega[2] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu_by_row_2, sigma[2]);
  }
}
