// Negative binomial distribution of counts: mean mu, and shape; its variance is mu + mu^2 / shape.

// Log mass of each row; minus infinity where y is negative.
vector negbinomial_log_omega(array[] int y, real mu, real shape) {
  vector[size(y)] count = fmax(to_vector(y), 0);
  return restrict_to_nonnegative(
    -lbeta(count + 1, shape) - log(count + shape)
    - shape .* log1p(mu ./ shape) + count .* (log(mu) - log(mu + shape)), to_vector(y));
}

// Log distribution function at each row.
vector negbinomial_log_cumulative(array[] int y, real mu, real shape) {
  vector[size(y)] log_odds = log(shape) - log(mu) + zeros_vector(size(y));
  return restrict_to_nonnegative(
    log_beta_below(log_odds, shape + zeros_vector(size(y)), fmax(to_vector(y), 0) + 1),
    to_vector(y));
}

// Log probability of more, at each row.
vector negbinomial_log_survival(array[] int y, real mu, real shape) {
  vector[size(y)] log_odds = log(mu) - log(shape) + zeros_vector(size(y));
  return certain_unless_nonnegative(
    log_beta_below(log_odds, fmax(to_vector(y), 0) + 1, shape + zeros_vector(size(y))),
    to_vector(y));
}

// One draw for each of N rows.
array[] int negbinomial_emission_rng(int N, real mu, real shape) {
  return neg_binomial_2_rng(mu + zeros_vector(N), shape);
}
