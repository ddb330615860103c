// Poisson distribution with a rate.

// Log mass of each row; minus infinity where y is negative.
vector poisson_log_omega(array[] int y, real rate) {
  return restrict_to_nonnegative(
    to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
}

// Log distribution function at each row.
vector poisson_log_cumulative(array[] int y, real rate) {
  vector[size(y)] rates = rate + zeros_vector(size(y));
  return restrict_to_nonnegative(log_gamma_above(rates, fmax(to_vector(y), 0) + 1), to_vector(y));
}

// Log probability of more, at each row.
vector poisson_log_survival(array[] int y, real rate) {
  vector[size(y)] rates = rate + zeros_vector(size(y));
  return certain_unless_nonnegative(
    log_gamma_below(rates, fmax(to_vector(y), 0) + 1), to_vector(y));
}

// One draw for each of N rows.
array[] int poisson_emission_rng(int N, real rate) {
  return poisson_rng(rate + zeros_vector(N));
}
