// Log-logistic distribution: scale, which is the median, and shape.

// Log density of each row; minus infinity unless y is positive.
vector loglogistic_log_omega(vector y, real scale, real shape) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  vector[num_elements(y)] s = abs(shape .* (log_y - log(scale)));
  return restrict_to_positive(log(shape) - log_y - s - 2 * log1p_exp(-s), y);
}

// Log distribution function at each row.
vector loglogistic_log_cumulative(vector y, real scale, real shape) {
  return restrict_to_positive(
    -log1p_exp(shape .* (log(scale) - log(positive_or_one(y)))), y);
}

// Log probability of more, at each row.
vector loglogistic_log_survival(vector y, real scale, real shape) {
  return certain_unless_positive(
    -log1p_exp(shape .* (log(positive_or_one(y)) - log(scale))), y);
}

// One draw for each of N rows.
vector loglogistic_emission_rng(int N, real scale, real shape) {
  return exp(logistic_emission_rng(N, log(scale), inv(shape)));
}
