// Zero-inflated Poisson distribution: 0 with probability zi, else Poisson with a rate.

// Log mass of each row; minus infinity where y is negative.
vector zero_inflated_poisson_log_omega(array[] int y, real rate, real zi) {
  return inflate_zeros(y, poisson_log_omega(y, rate), zi);
}

// Log distribution function at each row.
vector zero_inflated_poisson_log_cumulative(array[] int y, real rate, real zi) {
  return inflate_zeros_cumulative(y, poisson_log_cumulative(y, rate), zi);
}

// Log probability of more, at each row.
vector zero_inflated_poisson_log_survival(array[] int y, real rate, real zi) {
  return certain_unless_nonnegative(log1m(zi) + poisson_log_survival(y, rate), to_vector(y));
}

// One draw for each of N rows.
array[] int zero_inflated_poisson_emission_rng(int N, real rate, real zi) {
  return inflate_zeros_rng(poisson_emission_rng(N, rate), zi);
}
