// cbind(y, x) ~ mix(normal, K=2)
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

  // Squared length of deviations that vary more than the data, in units of the Cholesky factor of a
  // covariance.
  vector factored_distance(matrix deviation, matrix factor) {
    return columns_dot_self(mdivide_left_tri_low(factor, deviation))';
  }

  // For each observation, of the columns that it has: the squared length of its deviation z in units
  // of their correlations, and the log determinant of the factor of these.
  array[] vector partial_distance_and_volume(matrix z, array[,] int seen, array[] int arranged,
                                             array[] int pattern_size, matrix corr) {
    array[2] vector[cols(z)] found = rep_array(zeros_vector(cols(z)), 2);
    int start = 1;
    for (p in 1:size(seen)) {
      array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
      array[sum(seen[p])] int columns = which(seen[p]);
      if (size(columns) > 0) {
        matrix[size(columns), size(columns)] factor
          = cholesky_decompose(tcrossprod(corr[columns]));
        found[1, these] = factored_distance(z[columns, these], factor);
        found[2, these] = rep_vector(sum(log(diagonal(factor))), pattern_size[p]);
      }
      start += pattern_size[p];
    }
    return found;
  }

  // Deviations in units of the scale of each column.
  matrix in_units(matrix deviation, vector sigma) {
    matrix[rows(deviation), cols(deviation)] z;
    for (d in 1:rows(deviation)) {
      z[d] = deviation[d] ./ sigma[d];
    }
    return z;
  }

  // Deviations of each observation from the location.
  matrix deviations(matrix y, vector mu) {
    matrix[rows(y), cols(y)] deviation;
    for (d in 1:rows(y)) {
      deviation[d] = y[d] - mu[d];
    }
    return deviation;
  }

  // Sum of the logarithms of the scales of the columns that each observation has.
  vector log_volume_of(matrix has, vector sigma) {
    return has' * log(sigma);
  }

  // Log density of the columns that each observation has.
  vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                        array[] int pattern_size, vector mu, vector sigma, matrix corr) {
    matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
    array[2] vector[cols(y)] found
      = partial_distance_and_volume(in_units(deviations(y, mu), sigma), seen, arranged,
                                    pattern_size, corr);
    return -0.5 * found[1] - found[2] - log_volume_of(has, sigma)
           - has' * rep_vector(0.5 * log(2 * pi()), rows(y));
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
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  array[K] vector<lower=0>[D] sigma;
  array[K] cholesky_factor_corr[D] corr_cholesky;
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
    target += inv_gamma_lpdf(sigma[k] | rep_vector(3, D), y_scale);
  }
  for (k in 1:K) {
    target += guarded_lkj_lpdf(corr_cholesky[k] | 2, 0.01);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu[k], sigma[k], corr_cholesky[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K] matrix[D, D] corr;
  for (k in 1:K) {
    corr[k] = multiply_lower_tri_self_transpose(corr_cholesky[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = multi_normal_partial_log_omega(y, seen_y, arranged_y, pattern_size_y, mu[k], sigma[k], corr_cholesky[k]);
    }
  }
}
