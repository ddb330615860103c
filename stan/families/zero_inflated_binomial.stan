// Zero-inflated binomial distribution: 0 with probability zi, else successes y among trials, each
// with probability prob.

// Log mass of each row; minus infinity unless y is between 0 and trials.
vector zero_inflated_binomial_log_omega(array[] int y, array[] int trials, real prob, real zi) {
  return inflate_zeros(y, binomial_log_omega(y, trials, prob), zi);
}

// Log distribution function at each row.
vector zero_inflated_binomial_log_cumulative(array[] int y, array[] int trials, real prob, real zi) {
  return inflate_zeros_cumulative(y, binomial_log_cumulative(y, trials, prob), zi);
}

// Log probability of more, at each row.
vector zero_inflated_binomial_log_survival(array[] int y, array[] int trials, real prob, real zi) {
  return certain_unless_nonnegative(log1m(zi) + binomial_log_survival(y, trials, prob), to_vector(y));
}

// One draw for each row of trials.
array[] int zero_inflated_binomial_emission_rng(array[] int trials, real prob, real zi) {
  return inflate_zeros_rng(binomial_emission_rng(trials, prob), zi);
}
