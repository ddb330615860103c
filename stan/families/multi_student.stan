// Student's t distribution of several columns, which have the degrees of freedom nu in common:
// location mu, scales sigma, and corr, which is the Cholesky factor of the correlation matrix of the
// scales. y has one row a column and one column an observation.

// Log density of D columns in units of their scale; the beta function keeps its digits where nu is
// large.
vector multi_student_at(vector distance, int D, real nu) {
  return -0.5 * (nu + D) .* log1p(distance ./ nu)
         - (0.5 * D * log(pi() * nu) + lbeta(0.5 * D, 0.5 * nu) - lgamma(0.5 * D));
}

// Log density of each observation: a common scale.
vector multi_student_log_omega(matrix y, vector mu, real sigma, real nu) {
  return multi_student_at(spherical_distance(y, mu, sigma), rows(y), nu) - rows(y) * log(sigma);
}

// Log density of each observation: uncorrelated columns, which depend on each other in their tails.
vector multi_student_log_omega(matrix y, vector mu, vector sigma, real nu) {
  return multi_student_at(diagonal_distance(y, mu, sigma), rows(y), nu) - log_volume(sigma);
}

// Log density of each observation.
vector multi_student_log_omega(matrix y, vector mu, vector sigma, matrix corr, real nu) {
  return multi_student_at(correlated_distance(y, mu, sigma, corr), rows(y), nu)
         - (log_volume(sigma) + sum(log(diagonal(corr))));
}

// Log density of the columns that each observation has, in units of their scale.
vector partial_multi_student_at(vector distance, array[,] int seen, array[] int arranged,
                                array[] int pattern_size, real nu) {
  vector[size(arranged)] log_density = zeros_vector(size(arranged));
  for (d in 1:size(seen[1])) {
    log_density += has_columns(seen, arranged, pattern_size, d) .* multi_student_at(distance, d, nu);
  }
  return log_density;
}

// Log density of the columns that each observation has: a common scale. `arranged` lists the
// observations by pattern, pattern_size[p] of each, and seen[p] has 1 for every column that they
// have, else 0.
vector multi_student_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                       array[] int pattern_size, vector mu, real sigma, real nu) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  vector[cols(y)] distance
    = spherical_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma);
  return partial_multi_student_at(distance, seen, arranged, pattern_size, nu)
         - (has' * ones_vector(rows(y))) .* log(sigma);
}

// Log density of the columns that each observation has: uncorrelated.
vector multi_student_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                       array[] int pattern_size, vector mu, vector sigma, real nu) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  vector[cols(y)] distance
    = diagonal_distance(has .* deviations(y, mu), zeros_vector(rows(y)), sigma);
  return partial_multi_student_at(distance, seen, arranged, pattern_size, nu)
         - log_volume_of(has, sigma);
}

// Log density of the columns that each observation has.
vector multi_student_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                       array[] int pattern_size, vector mu, vector sigma,
                                       matrix corr, real nu) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  array[2] vector[cols(y)] found
    = partial_distance_and_volume(in_units(deviations(y, mu), sigma), seen, arranged,
                                  pattern_size, corr);
  return partial_multi_student_at(found[1], seen, arranged, pattern_size, nu) - found[2]
         - log_volume_of(has, sigma);
}

// N draws in columns of what a standard normal vector is multiplied by to be Student's t.
matrix student_spread_rng(int D, int N, real nu) {
  return rep_matrix(inv_sqrt(to_row_vector(chi_square_rng(rep_vector(nu, N))) / nu), D);
}

// One draw for each of N observations, in columns: a common scale.
matrix multi_student_emission_rng(int N, vector mu, real sigma, real nu) {
  int D = num_elements(mu);
  return rep_matrix(mu, N)
         + sigma * student_spread_rng(D, N, nu) .* multi_std_normal_rng(D, N);
}

// One draw for each of N observations, in columns: uncorrelated.
matrix multi_student_emission_rng(int N, vector mu, vector sigma, real nu) {
  int D = num_elements(mu);
  return rep_matrix(mu, N)
         + diag_pre_multiply(sigma, student_spread_rng(D, N, nu) .* multi_std_normal_rng(D, N));
}

// One draw for each of N observations, in columns.
matrix multi_student_emission_rng(int N, vector mu, vector sigma, matrix corr, real nu) {
  int D = num_elements(mu);
  return rep_matrix(mu, N)
         + diag_pre_multiply(sigma, corr)
           * (student_spread_rng(D, N, nu) .* multi_std_normal_rng(D, N));
}
