// y ~ mix(normal, K=2)
// mu ~ x + (1 + x | subject)
// sigma ~ (1 | choice)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, vector mu, vector sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=1> G_subject; // groups of subject
  int<lower=1> G_choice; // groups of choice
  int<lower=1> P_mu; // terms of mu: x
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  int<lower=1> Q_subject_mu; // terms of mu by subject: Intercept, x
  matrix[N, Q_subject_mu] Z_subject_mu;
  array[N] int<lower=1, upper=G_subject> group_subject_mu;
  int<lower=1> Q_choice_sigma; // terms of sigma by choice: Intercept
  matrix[N, Q_choice_sigma] Z_choice_sigma;
  array[N] int<lower=1, upper=G_choice> group_choice_sigma;
  vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  vector[Q_subject_mu] sd_subject_mu_scale; // 1 times the prior sd of mu / 2.5 over the sd of each term
  vector[Q_choice_sigma] sd_choice_sigma_scale; // 1 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  array[K] vector[P_mu] slope_mu;
  array[K] vector<lower=0>[Q_subject_mu] sd_subject_mu;
  array[K] cholesky_factor_corr[Q_subject_mu] cor_subject_mu_cholesky;
  vector<lower=0>[K] sigma;
  array[K] vector<lower=0>[Q_choice_sigma] sd_choice_sigma;
  simplex[K] weights;
  array[K] matrix[Q_subject_mu, G_subject] z_subject_mu; // effects of groups, standard normal
  array[K] matrix[Q_choice_sigma, G_choice] z_choice_sigma; // effects of groups, standard normal
}
transformed parameters {
  array[K] matrix[G_subject, Q_subject_mu] r_subject_mu;
  for (k in 1:K) {
    r_subject_mu[k] = (diag_pre_multiply(sd_subject_mu[k], cor_subject_mu_cholesky[k]) * z_subject_mu[k])';
  }
  array[K] matrix[G_choice, Q_choice_sigma] r_choice_sigma;
  for (k in 1:K) {
    r_choice_sigma[k] = diag_pre_multiply(sd_choice_sigma[k], z_choice_sigma[k])';
  }
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  for (k in 1:K) {
    target += normal_lpdf(slope_mu[k] | rep_vector(0, P_mu), beta_mu_scale);
  }
  for (k in 1:K) {
    target += student_t_lpdf(sd_subject_mu[k] | rep_vector(3, Q_subject_mu), rep_vector(0, Q_subject_mu), sd_subject_mu_scale) - student_t_lccdf(rep_vector(0, Q_subject_mu) | 3, 0, sd_subject_mu_scale);
  }
  for (k in 1:K) {
    target += lkj_corr_cholesky_lpdf(cor_subject_mu_cholesky[k] | 2);
  }
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  for (k in 1:K) {
    target += student_t_lpdf(sd_choice_sigma[k] | rep_vector(3, Q_choice_sigma), rep_vector(0, Q_choice_sigma), sd_choice_sigma_scale) - student_t_lccdf(rep_vector(0, Q_choice_sigma) | 3, 0, sd_choice_sigma_scale);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:K) {
    target += std_normal_lpdf(to_vector(z_subject_mu[k]));
  }
  for (k in 1:K) {
    target += std_normal_lpdf(to_vector(z_choice_sigma[k]));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k] + by_group(Z_subject_mu, group_subject_mu, r_subject_mu[k]);
    vector[N] sigma_by_row = sigma[k] * exp(by_group(Z_choice_sigma, group_choice_sigma, r_choice_sigma[k]));
    log_omega[k] = normal_log_omega(y, mu_by_row, sigma_by_row);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[K] matrix[Q_subject_mu, Q_subject_mu] cor_subject_mu;
  for (k in 1:K) {
    cor_subject_mu[k] = multiply_lower_tri_self_transpose(cor_subject_mu_cholesky[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] mu_by_row = mu[k] + X_mu * slope_mu[k] + by_group(Z_subject_mu, group_subject_mu, r_subject_mu[k]);
      vector[N] sigma_by_row = sigma[k] * exp(by_group(Z_choice_sigma, group_choice_sigma, r_choice_sigma[k]));
      log_omega[k] = normal_log_omega(y, mu_by_row, sigma_by_row);
    }
  }
}
