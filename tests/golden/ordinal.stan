// cbind(grade, mood) | unit(id) ~ mix(ordinal & ordinal, K=2, share=cutpoint_mood)
// mu[mood] ~ x + (1 | subject)
// mu_grade[2] ~ offset(x)
functions {
  // The upper end of the category of each row.
  vector upper_end(array[] int y, vector cutpoint) {
    return append_row(cutpoint, positive_infinity())[y];
  }

  // The lower end of the category of each row.
  vector lower_end(array[] int y, vector cutpoint) {
    return append_row(negative_infinity(), cutpoint)[y];
  }

  // Log mass of each row: with ends a < b less mu, inv_logit(b) - inv_logit(a) is
  // inv_logit(b) * inv_logit(-a) * (1 - exp(a - b)), where nothing cancels.
  vector ordinal_log_omega(array[] int y, int C, vector cutpoint, real mu) {
    vector[C - 2] inner = log1m_exp(head(cutpoint, C - 2) - tail(cutpoint, C - 2));
    return log_inv_logit(upper_end(y, cutpoint) - mu) + log_inv_logit(mu - lower_end(y, cutpoint))
           + append_row(append_row(0, inner), 0)[y];
  }

  // Log mass of each row: with ends a < b less mu, inv_logit(b) - inv_logit(a) is
  // inv_logit(b) * inv_logit(-a) * (1 - exp(a - b)), where nothing cancels.
  vector ordinal_log_omega(array[] int y, int C, vector cutpoint, vector mu) {
    vector[C - 2] inner = log1m_exp(head(cutpoint, C - 2) - tail(cutpoint, C - 2));
    return log_inv_logit(upper_end(y, cutpoint) - mu) + log_inv_logit(mu - lower_end(y, cutpoint))
           + append_row(append_row(0, inner), 0)[y];
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

  // Log densities of units, whose rows share a state: sums over the rows of each unit.
  array[] vector sum_units(array[] vector log_omega, array[] int unit_size) {
    array[size(log_omega)] vector[size(unit_size)] total;
    for (k in 1:size(log_omega)) {
      int start = 1;
      for (u in 1:size(unit_size)) {
        total[k][u] = sum(segment(log_omega[k], start, unit_size[u]));
        start += unit_size[u];
      }
    }
    return total;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  int<lower=2> C_y_grade; // categories: 3, 7, 9
  array[N] int<lower=1, upper=C_y_grade> y_grade; // grade
  int<lower=2> C_y_mood; // categories: low, mid, high
  array[N] int<lower=1, upper=C_y_mood> y_mood; // mood
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  int<lower=1> G_subject; // groups of subject
  vector[N] offset_mu_grade_2; // less its mean
  int<lower=1> P_mu_mood; // terms of mu_mood: x
  matrix[N, P_mu_mood] X_mu_mood; // less their means
  int<lower=1> Q_subject_mu_mood; // terms of mu_mood by subject: Intercept
  matrix[N, Q_subject_mu_mood] Z_subject_mu_mood;
  array[N] int<lower=1, upper=G_subject> group_subject_mu_mood;
  vector[P_mu_mood] beta_mu_mood_scale; // 2.5 units of mu_mood over the sd of each term
  vector[Q_subject_mu_mood] sd_subject_mu_mood_scale; // 1 units of mu_mood over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] ordered[C_y_grade - 1] cutpoint_grade;
  ordered[C_y_mood - 1] cutpoint_mood;
  array[K] vector[P_mu_mood] slope_mu_mood;
  array[K] vector<lower=0>[Q_subject_mu_mood] sd_subject_mu_mood;
  simplex[K] weights;
  array[K] matrix[Q_subject_mu_mood, G_subject] z_subject_mu_mood; // effects of groups, standard normal
}
transformed parameters {
  array[K] matrix[G_subject, Q_subject_mu_mood] r_subject_mu_mood;
  for (k in 1:K) {
    r_subject_mu_mood[k] = diag_pre_multiply(sd_subject_mu_mood[k], z_subject_mu_mood[k])';
  }
}
model {
  for (k in {1}) {
    target += logistic_lpdf(cutpoint_grade[k] | 0, 1);
  }
  target += normal_lpdf(cutpoint_grade[2] | 0, 2);
  target += logistic_lpdf(cutpoint_mood | 0, 1);
  for (k in 1:K) {
    target += normal_lpdf(slope_mu_mood[k] | rep_vector(0, P_mu_mood), beta_mu_mood_scale);
  }
  for (k in 1:K) {
    target += student_t_lpdf(sd_subject_mu_mood[k] | rep_vector(3, Q_subject_mu_mood), rep_vector(0, Q_subject_mu_mood), sd_subject_mu_mood_scale) - student_t_lccdf(rep_vector(0, Q_subject_mu_mood) | 3, 0, sd_subject_mu_mood_scale);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:K) {
    target += std_normal_lpdf(to_vector(z_subject_mu_mood[k]));
  }

  array[K] vector[N] log_omega;
  vector[N] mu_grade_2_by_row = offset_mu_grade_2;
  vector[N] mu_mood_by_row_1 = X_mu_mood * slope_mu_mood[1] + by_group(Z_subject_mu_mood, group_subject_mu_mood, r_subject_mu_mood[1]);
  log_omega[1] = ordinal_log_omega(y_grade, C_y_grade, cutpoint_grade[1], 0)
                 + ordinal_log_omega(y_mood, C_y_mood, cutpoint_mood, mu_mood_by_row_1);
  vector[N] mu_mood_by_row_2 = X_mu_mood * slope_mu_mood[2] + by_group(Z_subject_mu_mood, group_subject_mu_mood, r_subject_mu_mood[2]);
  log_omega[2] = ordinal_log_omega(y_grade, C_y_grade, cutpoint_grade[2], mu_grade_2_by_row)
                 + ordinal_log_omega(y_mood, C_y_mood, cutpoint_mood, mu_mood_by_row_2);

  target += sum_log_density(mixture_log_density(sum_units(log_omega, unit_size), weights));
}
generated quantities {
  array[K] vector[P_mu_mood] beta_mu_mood;
  for (k in 1:K) {
    beta_mu_mood[k] = slope_mu_mood[k];
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    vector[N] mu_grade_2_by_row = offset_mu_grade_2;
    vector[N] mu_mood_by_row_1 = X_mu_mood * slope_mu_mood[1] + by_group(Z_subject_mu_mood, group_subject_mu_mood, r_subject_mu_mood[1]);
    log_omega[1] = ordinal_log_omega(y_grade, C_y_grade, cutpoint_grade[1], 0)
                   + ordinal_log_omega(y_mood, C_y_mood, cutpoint_mood, mu_mood_by_row_1);
    vector[N] mu_mood_by_row_2 = X_mu_mood * slope_mu_mood[2] + by_group(Z_subject_mu_mood, group_subject_mu_mood, r_subject_mu_mood[2]);
    log_omega[2] = ordinal_log_omega(y_grade, C_y_grade, cutpoint_grade[2], mu_grade_2_by_row)
                   + ordinal_log_omega(y_mood, C_y_mood, cutpoint_mood, mu_mood_by_row_2);
  }
}
