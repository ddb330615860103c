// Normal distribution of several columns: means mu, standard deviations sigma, and corr, which is
// the Cholesky factor of their correlation matrix. y has one row a column and one column an
// observation.

// Log density of each observation: independent columns with a common standard deviation.
vector multi_normal_log_omega(matrix y, vector mu, real sigma) {
  return -0.5 * spherical_distance(y, mu, sigma) - rows(y) * (log(sigma) + 0.5 * log(2 * pi()));
}

// Log density of each observation: independent columns.
vector multi_normal_log_omega(matrix y, vector mu, vector sigma) {
  return -0.5 * diagonal_distance(y, mu, sigma)
         - (log_volume(sigma) + 0.5 * rows(y) * log(2 * pi()));
}

// Log density of each observation.
vector multi_normal_log_omega(matrix y, vector mu, vector sigma, matrix corr) {
  return -0.5 * correlated_distance(y, mu, sigma, corr)
         - (log_volume(sigma) + sum(log(diagonal(corr))) + 0.5 * rows(y) * log(2 * pi()));
}

// Log density of the columns that each observation has: independent, a common standard deviation.
// `arranged` lists the observations by pattern, pattern_size[p] of each, and seen[p] has 1 for every
// column that they have, else 0.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, real sigma) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  return -0.5 * spherical_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma)
         - (has' * ones_vector(rows(y))) .* (log(sigma) + 0.5 * log(2 * pi()));
}

// Log density of the columns that each observation has: independent.
vector multi_normal_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                      array[] int pattern_size, vector mu, vector sigma) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  return -0.5 * diagonal_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma)
         - (log_volume_of(has, sigma) + has' * rep_vector(0.5 * log(2 * pi()), rows(y)));
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
