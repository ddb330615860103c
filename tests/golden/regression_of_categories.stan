// subject ~ mix(categorical, K=2)
// prob ~ x + (1 | choice)
functions {
  // The places of the ones.
  array[] int which(array[] int is) {
    array[sum(is)] int places;
    int found = 0;
    for (i in 1:size(is)) {
      if (is[i]) {
        found += 1;
        places[found] = i;
      }
    }
    return places;
  }

  // Log mass of each row, where log_prob has the logarithms of probabilities by row of each category.
  vector categorical_log_omega(array[] int y, int C, array[] vector log_prob) {
    vector[size(y)] log_omega = zeros_vector(size(y));
    for (c in 1:C) {
      array[size(y)] int is_c;
      for (n in 1:size(y)) {
        is_c[n] = y[n] == c;
      }
      log_omega[which(is_c)] = log_prob[c][which(is_c)];
    }
    return log_omega;
  }

  // What the effects of groups, a row each, add to a predictor in every place.
  vector by_group(matrix Z, array[] int group, matrix effects) {
    vector[rows(Z)] total = zeros_vector(rows(Z));
    for (q in 1:cols(Z)) {
      total += Z[, q] .* effects[group, q];
    }
    return total;
  }

  // Vectors of N elements, one a component, that sum to zero over K components, from K - 1 free ones: by
  // an orthonormal basis, so that independent normal priors of these treat all components alike.
  array[] vector sum_to_zero(array[] vector free, int N) {
    int K = size(free) + 1;
    array[K] vector[N] sums = rep_array(zeros_vector(N), K);
    for (j in 1:(K - 1)) {
      vector[N] step = free[j] / sqrt(j * (j + 1.0));
      for (k in 1:j) {
        sums[k] += step;
      }
      sums[j + 1] -= j * step;
    }
    return sums;
  }

  // Log probabilities of K components in N places: `probability` where all covariates are at their
  // means, from where K - 1 free predictors, made to sum to zero, move them.
  array[] vector log_softmax_by_place(vector probability, array[] vector free, int N) {
    int K = num_elements(probability);
    array[K] vector[N] log_probability = sum_to_zero(free, N);
    for (k in 1:K) {
      log_probability[k] += log(probability[k]);
    }
    vector[N] total = log_probability[1];
    for (k in 2:K) {
      total = log_sum_exp(total, log_probability[k]);
    }
    for (k in 1:K) {
      log_probability[k] -= total;
    }
    return log_probability;
  }

  // Log densities of N rows, of which only some have a value; the others say nothing.
  vector at_rows(vector log_density, array[] int rows, int N) {
    vector[N] all_rows = zeros_vector(N);
    all_rows[rows] = log_density;
    return all_rows;
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

  // Coefficients of K components on the scale of the covariates, each with the intercept first; they
  // sum to zero.
  array[] vector softmax_coefficients(vector probability, vector means, array[] vector free) {
    int K = num_elements(probability);
    int P = num_elements(means);
    array[K] vector[P] slopes = sum_to_zero(free, P);
    array[K] vector[P + 1] coefficients;
    vector[K] at_means = log(probability) - mean(log(probability));
    for (k in 1:K) {
      coefficients[k] = from_means(at_means[k], means, slopes[k]);
    }
    return coefficients;
  }

  // Effects of G groups on K components, a row each, from the standard normal ones of K - 1 free
  // contrasts and what scales them.
  array[] matrix softmax_effects(matrix scale, array[] matrix z, int G) {
    int K = size(z) + 1;
    int Q = rows(scale);
    array[K - 1] vector[G * Q] free;
    for (j in 1:(K - 1)) {
      free[j] = to_vector((scale * z[j])');
    }
    array[K] vector[G * Q] sums = sum_to_zero(free, G * Q);
    array[K] matrix[G, Q] effects;
    for (k in 1:K) {
      effects[k] = to_matrix(sums[k], G, Q);
    }
    return effects;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  int<lower=2> C_y; // categories: a, b
  array[N] int<lower=1, upper=C_y> y; // subject
  int<lower=0> N_y; // rows that have y
  array[N_y] int<lower=1, upper=N> rows_y;
  int<lower=1> G_choice; // groups of choice
  int<lower=1> P_prob; // terms of prob: x
  matrix[N, P_prob] X_prob; // less their means
  vector[P_prob] X_prob_mean;
  int<lower=1> Q_choice_prob; // terms of prob by choice: Intercept
  matrix[N, Q_choice_prob] Z_choice_prob;
  array[N] int<lower=1, upper=G_choice> group_choice_prob;
  vector[Q_choice_prob] sd_choice_prob_scale; // 1 on the scale of log probabilities over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] simplex[C_y] prob;
  array[K, C_y - 1] vector[P_prob] slope_prob;
  array[K] vector<lower=0>[Q_choice_prob] sd_choice_prob;
  simplex[K] weights;
  array[K, C_y - 1] matrix[Q_choice_prob, G_choice] z_choice_prob; // effects of groups, standard normal
}
model {
  for (k in 1:K) {
    target += dirichlet_lpdf(prob[k] | rep_vector(1, C_y));
  }
  for (k in 1:K) {
    for (c in 1:(C_y - 1)) {
      target += normal_lpdf(slope_prob[k, c][1] | 0, 1);
    }
  }
  for (k in 1:K) {
    target += student_t_lpdf(sd_choice_prob[k] | rep_vector(3, Q_choice_prob), rep_vector(0, Q_choice_prob), sd_choice_prob_scale) - student_t_lccdf(rep_vector(0, Q_choice_prob) | 3, 0, sd_choice_prob_scale);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:K) {
    for (c in 1:(C_y - 1)) {
      target += std_normal_lpdf(to_vector(z_choice_prob[k, c]));
    }
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    array[C_y - 1] vector[N] prob_predictor;
    for (c in 1:(C_y - 1)) {
      prob_predictor[c] = X_prob * slope_prob[k][c] + by_group(Z_choice_prob, group_choice_prob, diag_pre_multiply(sd_choice_prob[k], z_choice_prob[k][c])');
    }
    array[C_y] vector[N] log_prob_by_row = log_softmax_by_place(prob[k], prob_predictor, N);
    log_omega[k] = at_rows(categorical_log_omega(y[rows_y], C_y, log_prob_by_row[, rows_y]), rows_y, N);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K, C_y] vector[P_prob + 1] beta_prob;
  for (k in 1:K) {
    beta_prob[k] = softmax_coefficients(prob[k], X_prob_mean, slope_prob[k]);
  }
  array[K, C_y] matrix[G_choice, Q_choice_prob] r_choice_prob;
  for (k in 1:K) {
    r_choice_prob[k] = softmax_effects(diag_matrix(sd_choice_prob[k]), z_choice_prob[k], G_choice);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      array[C_y - 1] vector[N] prob_predictor;
      for (c in 1:(C_y - 1)) {
        prob_predictor[c] = X_prob * slope_prob[k][c] + by_group(Z_choice_prob, group_choice_prob, diag_pre_multiply(sd_choice_prob[k], z_choice_prob[k][c])');
      }
      array[C_y] vector[N] log_prob_by_row = log_softmax_by_place(prob[k], prob_predictor, N);
      log_omega[k] = at_rows(categorical_log_omega(y[rows_y], C_y, log_prob_by_row[, rows_y]), rows_y, N);
    }
  }
}
