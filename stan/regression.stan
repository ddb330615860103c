// Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
// the covariates are at their means, and the slopes.
vector from_means(real at_means, vector means, vector slopes) {
  return append_row(at_means - dot_product(means, slopes), slopes);
}

// What the effects of groups, a row each, add to a predictor in every place.
vector by_group(matrix Z, array[] int group, matrix effects) {
  vector[rows(Z)] total = zeros_vector(rows(Z));
  for (q in 1:cols(Z)) {
    total += Z[, q] .* effects[group, q];
  }
  return total;
}

// Coefficients of each element of a vector on the scale of the covariates, the intercept first.
array[] vector each_from_means(vector at_means, vector means, array[] vector slopes) {
  array[num_elements(at_means)] vector[num_elements(means) + 1] coefficients;
  for (d in 1:num_elements(at_means)) {
    coefficients[d] = from_means(at_means[d], means, slopes[d]);
  }
  return coefficients;
}
