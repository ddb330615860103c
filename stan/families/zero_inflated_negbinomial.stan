// Zero-inflated negative binomial distribution: 0 with probability zi, else negative binomial with
// mean mu and shape.

// Log mass of each row; minus infinity where y is negative.
vector zero_inflated_negbinomial_log_omega(array[] int y, real mu, real shape, real zi) {
  return inflate_zeros(y, negbinomial_log_omega(y, mu, shape), zi);
}

// Log distribution function at each row.
vector zero_inflated_negbinomial_log_cumulative(array[] int y, real mu, real shape, real zi) {
  return inflate_zeros_cumulative(y, negbinomial_log_cumulative(y, mu, shape), zi);
}

// Log probability of more, at each row.
vector zero_inflated_negbinomial_log_survival(array[] int y, real mu, real shape, real zi) {
  return certain_unless_nonnegative(log1m(zi) + negbinomial_log_survival(y, mu, shape), to_vector(y));
}

// One draw for each of N rows.
array[] int zero_inflated_negbinomial_emission_rng(int N, real mu, real shape, real zi) {
  return inflate_zeros_rng(negbinomial_emission_rng(N, mu, shape), zi);
}
