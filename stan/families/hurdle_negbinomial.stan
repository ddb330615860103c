// Hurdle negative binomial distribution: 0 with probability hu, else negative binomial with mean mu
// and shape, but never 0.

// Log mass of each row; minus infinity where y is negative.
vector hurdle_negbinomial_log_omega(array[] int y, real mu, real shape, real hu) {
  return hurdle(y, negbinomial_log_omega(y, mu, shape), -shape .* log1p(mu ./ shape), hu);
}

// Log distribution function at each row.
vector hurdle_negbinomial_log_cumulative(array[] int y, real mu, real shape, real hu) {
  return hurdle_cumulative(
    y, negbinomial_log_cumulative(y, mu, shape), -shape .* log1p(mu ./ shape), hu);
}

// Log probability of more, at each row.
vector hurdle_negbinomial_log_survival(array[] int y, real mu, real shape, real hu) {
  return hurdle_survival(
    y, negbinomial_log_survival(y, mu, shape), -shape .* log1p(mu ./ shape), hu);
}

// One draw for each of N rows. Counts come in clusters, which have a logarithmic distribution: 1 more
// than a geometric number of random mean. There is a first cluster in a unit of time, and those of the
// time that is left have a negative binomial sum.
array[] int hurdle_negbinomial_emission_rng(int N, real mu, real shape, real hu) {
  real scale = log1p(mu / shape);
  vector[N] u = to_vector(uniform_rng(zeros_vector(N), 1));
  vector[N] v = to_vector(uniform_rng(zeros_vector(N), 1));
  vector[N] left = fmax(1 + log1m(u * (1 - exp(-shape * scale))) / (shape * scale), 1e-12);
  array[N] int first = neg_binomial_2_rng(expm1(v * scale), 1);
  array[N] int more = neg_binomial_2_rng(mu * left, shape * left);
  for (n in 1:N) {
    more[n] += 1 + first[n];
  }
  return inflate_zeros_rng(more, hu);
}
