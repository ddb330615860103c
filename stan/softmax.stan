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
