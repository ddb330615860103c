// Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
// the covariates are at their means, and the slopes.
vector from_means(real at_means, vector means, vector slopes) {
  return append_row(at_means - dot_product(means, slopes), slopes);
}
