// Bernoulli distribution of 0 and 1: prob is the probability of 1.

// Log mass of each row; minus infinity unless y is 0 or 1.
vector bernoulli_log_omega(array[] int y, real prob) {
  return restrict_to_nonnegative(
    to_vector(y) .* log(prob) + (1 - to_vector(y)) .* log1m(prob),
    fmin(to_vector(y), 1 - to_vector(y)));
}

// Log distribution function at each row.
vector bernoulli_log_cumulative(array[] int y, real prob) {
  return restrict_to_nonnegative(log1m(prob) .* fmax(1 - to_vector(y), 0), to_vector(y));
}

// Log probability of more, at each row.
vector bernoulli_log_survival(array[] int y, real prob) {
  return restrict_to_nonnegative(
    certain_unless_nonnegative(log(prob) + zeros_vector(size(y)), to_vector(y)), -to_vector(y));
}

// One draw for each of N rows.
array[] int bernoulli_emission_rng(int N, real prob) {
  return bernoulli_rng(prob + zeros_vector(N));
}
