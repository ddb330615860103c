// Weibull distribution: scale and shape.

// Log density of each row; minus infinity unless y is positive.
vector weibull_log_omega(vector y, real scale, real shape) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  vector[num_elements(y)] s = shape .* (log_y - log(scale));
  return restrict_to_positive(log(shape) - log_y + s - bounded_exp(s), y);
}

// Log distribution function at each row.
vector weibull_log_cumulative(vector y, real scale, real shape) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  vector[num_elements(y)] s = shape .* (log_y - log(scale));
  return restrict_to_positive(log1m_exp_of_exp(s), y);
}

// Log probability of more, at each row.
vector weibull_log_survival(vector y, real scale, real shape) {
  return certain_unless_positive(
    -bounded_exp(shape .* (log(positive_or_one(y)) - log(scale))), y);
}

// One draw for each of N rows.
vector weibull_emission_rng(int N, real scale, real shape) {
  return to_vector(weibull_rng(shape + zeros_vector(N), scale));
}
