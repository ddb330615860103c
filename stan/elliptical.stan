// Elliptical distributions of several columns have a density of the squared distance from the
// location alone, and of the scale. y has one row a column and one column an observation, and corr
// is the Cholesky factor of a correlation matrix.

// Deviations of each observation from the location.
matrix deviations(matrix y, vector mu) {
  matrix[rows(y), cols(y)] deviation;
  for (d in 1:rows(y)) {
    deviation[d] = y[d] - mu[d];
  }
  return deviation;
}

// Squared distance of each observation from the location, in units of a common scale.
vector spherical_distance(matrix y, vector mu, real sigma) {
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    distance += square(y[d] - mu[d])';
  }
  return distance ./ square(sigma);
}

// Squared distance of each observation from the location, each column in units of its scale.
vector diagonal_distance(matrix y, vector mu, vector sigma) {
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:rows(y)) {
    distance += square((y[d] - mu[d]) ./ sigma[d])';
  }
  return distance;
}

// Squared distance of each observation from the location, in units of its scale and direction. The
// inverse of the factor is as small as the covariance, and its product with the data is the fastest
// way to independent columns.
vector correlated_distance(matrix y, vector mu, vector sigma, matrix corr) {
  int D = rows(y);
  matrix[D, D] whiten
    = mdivide_left_tri_low(diag_pre_multiply(sigma, corr), identity_matrix(D));
  vector[cols(y)] distance = zeros_vector(cols(y));
  for (d in 1:D) {
    distance += square(whiten[d, 1:d] * y[1:d] - whiten[d, 1:d] * mu[1:d])';
  }
  return distance;
}

// Squared distance of each observation from locations by observation.
vector correlated_distance(matrix y, matrix mu, vector sigma, matrix corr) {
  return factored_distance(y - mu, diag_pre_multiply(sigma, corr));
}

// Squared distance of each observation in units of scales by observation.
vector correlated_distance(matrix y, vector mu, matrix sigma, matrix corr) {
  return factored_distance(deviations(y, mu) ./ sigma, corr);
}

// Squared distance of each observation from locations, in units of scales, both by observation.
vector correlated_distance(matrix y, matrix mu, matrix sigma, matrix corr) {
  return factored_distance((y - mu) ./ sigma, corr);
}

// Sum of the logarithms of the scales.
real log_volume(vector sigma) {
  return sum(log(sigma));
}

// Sum of the logarithms of the scales of each observation.
vector log_volume(matrix sigma) {
  return (ones_row_vector(rows(sigma)) * log(sigma))';
}

// Squared length of deviations that vary more than the data, in units of the Cholesky factor of a
// covariance.
vector factored_distance(matrix deviation, matrix factor) {
  return columns_dot_self(mdivide_left_tri_low(factor, deviation))';
}

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

// Sum of the logarithms of the scales of the columns that each observation has.
vector log_volume_of(matrix has, vector sigma) {
  return has' * log(sigma);
}

// Sum of the logarithms of the scales by observation of the columns that each has.
vector log_volume_of(matrix has, matrix sigma) {
  return (has .* log(sigma))' * ones_vector(rows(has));
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

// Deviations in units of the scale of each column.
matrix in_units(matrix deviation, vector sigma) {
  matrix[rows(deviation), cols(deviation)] z;
  for (d in 1:rows(deviation)) {
    z[d] = deviation[d] ./ sigma[d];
  }
  return z;
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

// N independent draws from the standard normal distribution for each of D columns.
matrix multi_std_normal_rng(int D, int N) {
  return to_matrix(normal_rng(zeros_vector(D * N), 1), D, N);
}
