// Normal distribution of several columns: means mu, standard deviations sigma, and corr, which is
// the Cholesky factor of their correlation matrix. y has one row a column and one column an
// observation.

// Log density of each observation: independent columns with a common standard deviation.
vector multi_normal_log_omega(matrix y, vector mu, real sigma) {
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    distance += square(y[d]' - mu[d]);
  }
  return -0.5 * distance ./ square(sigma) - rows(y) * (log(sigma) + 0.5 * log(2 * pi()));
}

// Log density of each observation: independent columns.
vector multi_normal_log_omega(matrix y, vector mu, vector sigma) {
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    distance += square((y[d]' - mu[d]) / sigma[d]);
  }
  return -0.5 * distance - (sum(log(sigma)) + 0.5 * rows(y) * log(2 * pi()));
}

// Log density of each observation. The inverse of the factor is as small as the covariance, and
// its product with the data is the fastest way to independent columns.
vector multi_normal_log_omega(matrix y, vector mu, vector sigma, matrix corr) {
  int D = rows(y);
  matrix[D, D] whiten
    = mdivide_left_tri_low(diag_pre_multiply(sigma, corr), identity_matrix(D));
  vector[D] center = whiten * mu;
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:D) {
    distance += square((whiten[d, 1:d] * y[1:d])' - center[d]);
  }
  return -0.5 * distance + (sum(log(diagonal(whiten))) - 0.5 * D * log(2 * pi()));
}

// Log density of deviations from the means: independent columns with a common standard deviation.
vector spherical_log_density(matrix residual, real sigma) {
  return -0.5 * columns_dot_self(residual)' ./ square(sigma)
         - rows(residual) * (log(sigma) + 0.5 * log(2 * pi()));
}

// Log density of deviations from the means: independent columns.
vector diagonal_log_density(matrix residual, vector sigma) {
  return -0.5 * columns_dot_self(diag_pre_multiply(inv(sigma), residual))'
         - (sum(log(sigma)) + 0.5 * rows(residual) * log(2 * pi()));
}

// Log density of deviations from the means.
vector correlated_log_density(matrix residual, vector sigma, matrix corr) {
  matrix[rows(residual), rows(residual)] factor = diag_pre_multiply(sigma, corr);
  return -0.5 * columns_dot_self(mdivide_left_tri_low(factor, residual))'
         - (sum(log(diagonal(factor))) + 0.5 * rows(residual) * log(2 * pi()));
}

// Log density of the columns that each observation has, of deviations from the means, where columns
// are independent. `arranged` lists the observations by pattern, pattern_size[p] of each, and seen[p]
// has 1 for every column that they have, else 0.
vector partial_diagonal_log_density(matrix residual, array[,] int seen, array[] int arranged,
                                    array[] int pattern_size, vector sigma) {
  vector[cols(residual)] log_density = zeros_vector(cols(residual));
  int start = 1;
  for (p in 1:size(seen)) {
    array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
    for (d in which(seen[p])) {
      log_density[these] -= 0.5 * square(residual[d, these]' / sigma[d])
                            + (log(sigma[d]) + 0.5 * log(2 * pi()));
    }
    start += pattern_size[p];
  }
  return log_density;
}

// Log density of the columns that each observation has, of deviations from the means, with a common
// standard deviation. `arranged` lists the observations by pattern, pattern_size[p] of each, and
// seen[p] has 1 for every column that they have, else 0.
vector partial_spherical_log_density(matrix residual, array[,] int seen, array[] int arranged,
                                     array[] int pattern_size, real sigma) {
  vector[cols(residual)] log_density = zeros_vector(cols(residual));
  vector[cols(residual)] each = sigma + zeros_vector(cols(residual));
  int start = 1;
  for (p in 1:size(seen)) {
    array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
    for (d in which(seen[p])) {
      log_density[these] -= 0.5 * square(residual[d, these]' ./ each[these])
                            + (log(each[these]) + 0.5 * log(2 * pi()));
    }
    start += pattern_size[p];
  }
  return log_density;
}

// Log density of the columns that each observation has, of deviations from the means. `arranged`
// lists the observations by pattern, pattern_size[p] of each, and seen[p] has 1 for every column
// that they have, else 0.
vector partial_correlated_log_density(matrix residual, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector sigma, matrix corr) {
  vector[cols(residual)] log_density = zeros_vector(cols(residual));
  matrix[rows(residual), rows(residual)] whole = multiply_lower_tri_self_transpose(corr);
  int start = 1;
  for (p in 1:size(seen)) {
    array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
    array[sum(seen[p])] int columns = which(seen[p]);
    if (size(columns) > 0) {
      log_density[these]
        = correlated_log_density(residual[columns, these], sigma[columns],
                                 cholesky_decompose(whole[columns, columns]));
    }
    start += pattern_size[p];
  }
  return log_density;
}

// Means that vary by observation, and a common standard deviation.
vector multi_normal_log_omega(matrix y, matrix mu, real sigma) {
  return spherical_log_density(y - mu, sigma);
}

// Means that vary by observation, and independent columns.
vector multi_normal_log_omega(matrix y, matrix mu, vector sigma) {
  return diagonal_log_density(y - mu, sigma);
}

// Means that vary by observation.
vector multi_normal_log_omega(matrix y, matrix mu, vector sigma, matrix corr) {
  return correlated_log_density(y - mu, sigma, corr);
}

// Log density where each value has a mean and a standard deviation of its own: independent columns.
vector scaled_diagonal_log_density(matrix y, matrix mu, matrix sigma) {
  matrix[rows(y), cols(y)] z = (y - mu) ./ sigma;
  return diagonal_log_density(z, ones_vector(rows(y))) - (ones_row_vector(rows(y)) * log(sigma))';
}

// Log density where each value has a mean and a standard deviation of its own.
vector scaled_correlated_log_density(matrix y, matrix mu, matrix sigma, matrix corr) {
  matrix[rows(y), cols(y)] z = (y - mu) ./ sigma;
  return correlated_log_density(z, ones_vector(rows(y)), corr)
         - (ones_row_vector(rows(y)) * log(sigma))';
}

// Standard deviations that vary by observation, and independent columns.
vector multi_normal_log_omega(matrix y, vector mu, matrix sigma) {
  return scaled_diagonal_log_density(y, rep_matrix(mu, cols(y)), sigma);
}

// Standard deviations that vary by observation.
vector multi_normal_log_omega(matrix y, vector mu, matrix sigma, matrix corr) {
  return scaled_correlated_log_density(y, rep_matrix(mu, cols(y)), sigma, corr);
}

// Means and standard deviations that vary by observation, and independent columns.
vector multi_normal_log_omega(matrix y, matrix mu, matrix sigma) {
  return scaled_diagonal_log_density(y, mu, sigma);
}

// Means and standard deviations that vary by observation.
vector multi_normal_log_omega(matrix y, matrix mu, matrix sigma, matrix corr) {
  return scaled_correlated_log_density(y, mu, sigma, corr);
}

// Sum of the logarithms of the columns that each observation has. `arranged` lists the observations
// by pattern, pattern_size[p] of each, and seen[p] has 1 for every column that they have, else 0.
vector partial_log_sum(matrix values, array[,] int seen, array[] int arranged,
                       array[] int pattern_size) {
  vector[cols(values)] total = zeros_vector(cols(values));
  int start = 1;
  for (p in 1:size(seen)) {
    array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
    for (d in which(seen[p])) {
      total[these] += log(values[d, these])';
    }
    start += pattern_size[p];
  }
  return total;
}

// Log density of the columns that each observation has, where each value has a mean and a standard
// deviation of its own: independent columns.
vector partial_scaled_diagonal_log_density(matrix y, array[,] int seen, array[] int arranged,
                                           array[] int pattern_size, matrix mu, matrix sigma) {
  matrix[rows(y), cols(y)] z = (y - mu) ./ sigma;
  return partial_diagonal_log_density(z, seen, arranged, pattern_size, ones_vector(rows(y)))
         - partial_log_sum(sigma, seen, arranged, pattern_size);
}

// Log density of the columns that each observation has, where each value has a mean and a standard
// deviation of its own.
vector partial_scaled_correlated_log_density(matrix y, array[,] int seen, array[] int arranged,
                                             array[] int pattern_size, matrix mu, matrix sigma,
                                             matrix corr) {
  matrix[rows(y), cols(y)] z = (y - mu) ./ sigma;
  return partial_correlated_log_density(z, seen, arranged, pattern_size, ones_vector(rows(y)), corr)
         - partial_log_sum(sigma, seen, arranged, pattern_size);
}

// Log density of the columns that each observation has: a common standard deviation.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, real sigma) {
  return partial_spherical_log_density(y - rep_matrix(mu, cols(y)), seen, arranged, pattern_size,
         sigma);
}

// Log density of the columns that each observation has: independent columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, vector sigma) {
  return partial_diagonal_log_density(y - rep_matrix(mu, cols(y)), seen, arranged, pattern_size,
         sigma);
}

// Log density of the columns that each observation has.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, vector sigma, matrix corr) {
  return partial_correlated_log_density(y - rep_matrix(mu, cols(y)), seen, arranged, pattern_size,
         sigma, corr);
}

// Log density of the columns that each observation has: means that vary, a common standard deviation.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, matrix mu, real sigma) {
  return partial_spherical_log_density(y - mu, seen, arranged, pattern_size,
         sigma);
}

// Log density of the columns that each observation has: means that vary, independent columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, matrix mu, vector sigma) {
  return partial_diagonal_log_density(y - mu, seen, arranged, pattern_size,
         sigma);
}

// Log density of the columns that each observation has: means that vary.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, matrix mu, vector sigma, matrix corr) {
  return partial_correlated_log_density(y - mu, seen, arranged, pattern_size,
         sigma, corr);
}

// Log density of the columns that each observation has: standard deviations that vary, independent
// columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, matrix sigma) {
  return partial_scaled_diagonal_log_density(y, seen, arranged, pattern_size,
         rep_matrix(mu, cols(y)), sigma);
}

// Log density of the columns that each observation has: standard deviations that vary.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, matrix sigma, matrix corr) {
  return partial_scaled_correlated_log_density(y, seen, arranged, pattern_size,
         rep_matrix(mu, cols(y)), sigma, corr);
}

// Log density of the columns that each observation has: means and standard deviations that vary,
// independent columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, matrix mu, matrix sigma) {
  return partial_scaled_diagonal_log_density(y, seen, arranged, pattern_size, mu, sigma);
}

// Log density of the columns that each observation has: means and standard deviations that vary.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, matrix mu, matrix sigma, matrix corr) {
  return partial_scaled_correlated_log_density(y, seen, arranged, pattern_size, mu, sigma, corr);
}

// N independent draws from the standard normal distribution for each of D columns.
matrix multi_std_normal_rng(int D, int N) {
  return to_matrix(normal_rng(zeros_vector(D * N), 1), D, N);
}

// One draw for each of N observations, in columns: independent, one standard deviation.
matrix multi_normal_emission_rng(int N, vector mu, real sigma) {
  return rep_matrix(mu, N) + sigma * multi_std_normal_rng(num_elements(mu), N);
}

// One draw for each of N observations, in columns: independent.
matrix multi_normal_emission_rng(int N, vector mu, vector sigma) {
  return rep_matrix(mu, N) + diag_pre_multiply(sigma, multi_std_normal_rng(num_elements(mu), N));
}

// One draw for each of N observations, in columns.
matrix multi_normal_emission_rng(int N, vector mu, vector sigma, matrix corr) {
  return rep_matrix(mu, N)
         + diag_pre_multiply(sigma, corr) * multi_std_normal_rng(num_elements(mu), N);
}
