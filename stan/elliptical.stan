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
    distance += square((y[d] - mu[d]) / sigma[d])';
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

// For each observation, of the columns that it has: the squared length of its deviation in units of
// their covariance, and the log determinant of the factor of that.
array[] vector partial_distance_and_volume(matrix deviation, array[,] int seen,
                                           array[] int arranged, array[] int pattern_size,
                                           vector sigma, matrix corr) {
  array[2] vector[cols(deviation)] found = rep_array(zeros_vector(cols(deviation)), 2);
  int start = 1;
  for (p in 1:size(seen)) {
    array[pattern_size[p]] int these = segment(arranged, start, pattern_size[p]);
    array[sum(seen[p])] int columns = which(seen[p]);
    if (size(columns) > 0) {
      matrix[size(columns), size(columns)] factor
        = diag_pre_multiply(sigma[columns], cholesky_decompose(tcrossprod(corr[columns])));
      found[1, these] = factored_distance(deviation[columns, these], factor);
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
