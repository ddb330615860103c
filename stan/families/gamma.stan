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
  return restrict_to_positive(log(gamma_p(shape, shape .* positive_or_one(y) ./ mu)), y);
}

// One draw for each of N rows.
vector gamma_emission_rng(int N, real mu, real shape) {
  return to_vector(gamma_rng(shape + zeros_vector(N), shape ./ mu));
}
