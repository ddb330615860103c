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

// Log density of the columns that each observation has, where they are independent with a common
// standard deviation: pattern[n] says which row of `seen`, 1 or 0 for every column, holds for
// observation n.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int pattern,
                                      vector mu, real sigma) {
  vector[cols(y)] log_density = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    vector[cols(y)] has = to_vector(seen[pattern, d]);
    log_density -= has .* (0.5 * square((y[d]' - mu[d]) / sigma)
                           + (log(sigma) + 0.5 * log(2 * pi())));
  }
  return log_density;
}

// Likewise, independent columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int pattern,
                                      vector mu, vector sigma) {
  vector[cols(y)] log_density = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    vector[cols(y)] has = to_vector(seen[pattern, d]);
    log_density -= has .* (0.5 * square((y[d]' - mu[d]) / sigma[d])
                           + (log(sigma[d]) + 0.5 * log(2 * pi())));
  }
  return log_density;
}

// Likewise, correlated columns.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int pattern,
                                      vector mu, vector sigma, matrix corr) {
  vector[cols(y)] log_density = zeros_vector(cols(y));
  matrix[rows(y), rows(y)] whole = multiply_lower_tri_self_transpose(corr);
  for (p in 1:size(seen)) {
    array[sum(seen[p])] int columns = which(seen[p]);
    array[count_of(pattern, p)] int observations = places_of(pattern, p);
    if (size(columns) > 0) {
      log_density[observations]
        = multi_normal_log_omega(y[columns, observations], mu[columns], sigma[columns],
                                 cholesky_decompose(whole[columns, columns]));
    }
  }
  return log_density;
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
