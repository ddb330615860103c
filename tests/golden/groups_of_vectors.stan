// cbind(y, x) ~ mix(normal, K=2)
// mu ~ rt + (1 + rt | subject)
functions {
  // Squared length of deviations that vary more than the data, in units of the Cholesky factor of a
  // covariance.
  vector factored_distance(matrix deviation, matrix factor) {
    return columns_dot_self(mdivide_left_tri_low(factor, deviation))';
  }

  // Squared distance of each observation from locations by observation.
  vector correlated_distance(matrix y, matrix mu, vector sigma, matrix corr) {
    return factored_distance(y - mu, diag_pre_multiply(sigma, corr));
  }

  // Sum of the logarithms of the scales.
  real log_volume(vector sigma) {
    return sum(log(sigma));
  }

  // Log density of each observation.
  vector multi_normal_log_omega(matrix y, matrix mu, vector sigma, matrix corr) {
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

  // What the effects of groups, a row each, add to a predictor in every place.
  vector by_group(matrix Z, array[] int group, matrix effects) {
    vector[rows(Z)] total = zeros_vector(rows(Z));
    for (q in 1:cols(Z)) {
      total += Z[, q] .* effects[group, q];
    }
    return total;
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
  int<lower=1> G_subject; // groups of subject
  int<lower=1> P_mu; // terms of mu: rt
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  int<lower=1> Q_subject_mu; // terms of mu by subject: Intercept, rt
  matrix[N, Q_subject_mu] Z_subject_mu;
  array[N] int<lower=1, upper=G_subject> group_subject_mu;
  array[D] vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  array[D] vector[Q_subject_mu] sd_subject_mu_scale; // 1 times the prior sd of mu / 2.5 over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  array[K, D] vector[P_mu] slope_mu;
  array[K, D] vector<lower=0>[Q_subject_mu] sd_subject_mu;
  array[K, D] cholesky_factor_corr[Q_subject_mu] cor_subject_mu_cholesky;
  array[K] vector<lower=0>[D] sigma;
  array[K] cholesky_factor_corr[D] corr_cholesky;
  simplex[K] weights;
  array[K, D] matrix[Q_subject_mu, G_subject] z_subject_mu; // effects of groups, standard normal
}
transformed parameters {
  array[K] vector[D] mu = insert_ordered(mu_order, mu_rest, order_column);
  array[K, D] matrix[G_subject, Q_subject_mu] r_subject_mu;
  for (k in 1:K) {
    for (d in 1:D) {
      r_subject_mu[k, d] = (diag_pre_multiply(sd_subject_mu[k, d], cor_subject_mu_cholesky[k, d]) * z_subject_mu[k, d])';
    }
  }
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
  target += student_t_lpdf(sd_subject_mu[1, 1] | 3, 0, sd_subject_mu_scale[1]) - student_t_lccdf(rep_vector(0, Q_subject_mu) | 3, 0, sd_subject_mu_scale[1]);
  target += normal_lpdf(sd_subject_mu[1, 2] | 0, 1) - Q_subject_mu * normal_lccdf(0 | 0, 1);
  target += student_t_lpdf(sd_subject_mu[2, 1] | 3, 0, sd_subject_mu_scale[1]) - student_t_lccdf(rep_vector(0, Q_subject_mu) | 3, 0, sd_subject_mu_scale[1]);
  target += normal_lpdf(sd_subject_mu[2, 2] | 0, 1) - Q_subject_mu * normal_lccdf(0 | 0, 1);
  target += lkj_corr_cholesky_lpdf(cor_subject_mu_cholesky[1, 1] | 2);
  target += lkj_corr_cholesky_lpdf(cor_subject_mu_cholesky[1, 2] | 2);
  target += lkj_corr_cholesky_lpdf(cor_subject_mu_cholesky[2, 1] | 1);
  target += lkj_corr_cholesky_lpdf(cor_subject_mu_cholesky[2, 2] | 1);
  for (k in 1:K) {
    target += inv_gamma_lpdf(sigma[k] | rep_vector(3, D), y_scale);
  }
  for (k in 1:K) {
    target += guarded_lkj_lpdf(corr_cholesky[k] | 2, 0.01);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:K) {
    for (d in 1:D) {
      target += std_normal_lpdf(to_vector(z_subject_mu[k, d]));
    }
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    matrix[D, N] mu_by_row;
    for (d in 1:D) {
      mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d] + by_group(Z_subject_mu, group_subject_mu, r_subject_mu[k][d]))';
    }
    log_omega[k] = multi_normal_log_omega(y, mu_by_row, sigma[k], corr_cholesky[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K, D] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = each_from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[K, D] matrix[Q_subject_mu, Q_subject_mu] cor_subject_mu;
  for (k in 1:K) {
    for (d in 1:D) {
      cor_subject_mu[k, d] = multiply_lower_tri_self_transpose(cor_subject_mu_cholesky[k, d]);
    }
  }
  array[K] matrix[D, D] corr;
  for (k in 1:K) {
    corr[k] = multiply_lower_tri_self_transpose(corr_cholesky[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      matrix[D, N] mu_by_row;
      for (d in 1:D) {
        mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d] + by_group(Z_subject_mu, group_subject_mu, r_subject_mu[k][d]))';
      }
      log_omega[k] = multi_normal_log_omega(y, mu_by_row, sigma[k], corr_cholesky[k]);
    }
  }
}
