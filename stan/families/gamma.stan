// Gamma distribution: mean mu and shape, so its rate is shape / mu.

// Log density of each row; minus infinity unless y is positive.
vector gamma_log_omega(vector y, real mu, real shape) {
  return restrict_to_positive(
    shape .* (log(positive_or_one(y)) - log(mu) - y ./ mu)
    + (shape .* log(shape) - lgamma(shape))
    - log(positive_or_one(y)), y);
}

// Log distribution function at each row.
vector gamma_log_cumulative(vector y, real mu, real shape) {
  vector[num_elements(y)] inside = positive_or_one(y);
  vector[num_elements(y)] x = shape .* inside ./ mu;
  vector[num_elements(y)] shapes = shape + zeros_vector(num_elements(y));
  return restrict_to_positive(log_gamma_below(x, shapes), y);
}

// Log probability of more, at each row.
vector gamma_log_survival(vector y, real mu, real shape) {
  vector[num_elements(y)] inside = positive_or_one(y);
  vector[num_elements(y)] x = shape .* inside ./ mu;
  vector[num_elements(y)] shapes = shape + zeros_vector(num_elements(y));
  return certain_unless_positive(log_gamma_above(x, shapes), y);
}

// One draw for each of N rows.
vector gamma_emission_rng(int N, real mu, real shape) {
  return to_vector(gamma_rng(shape + zeros_vector(N), shape ./ mu));
}
