// Geometric distribution of the failures before the first success, which has probability prob.

// Log mass of each row; minus infinity where y is negative.
vector geometric_log_omega(array[] int y, real prob) {
  return restrict_to_nonnegative(log(prob) + to_vector(y) .* log1m(prob), to_vector(y));
}

// Log distribution function at each row.
vector geometric_log_cumulative(array[] int y, real prob) {
  return restrict_to_nonnegative(
    log1m_exp((fmax(to_vector(y), 0) + 1) .* log1m(prob)), to_vector(y));
}

// Log probability of more, at each row.
vector geometric_log_survival(array[] int y, real prob) {
  return certain_unless_nonnegative((to_vector(y) + 1) .* log1m(prob), to_vector(y));
}

// One draw for each of N rows.
array[] int geometric_emission_rng(int N, real prob) {
  return negbinomial_emission_rng(N, (1 - prob) ./ prob, 1);
}
