// Hurdle Poisson distribution: 0 with probability hu, else Poisson with a rate, but never 0.

// Log mass of each row; minus infinity where y is negative.
vector hurdle_poisson_log_omega(array[] int y, real rate, real hu) {
  return hurdle(y, poisson_log_omega(y, rate), -rate, hu);
}

// Log distribution function at each row.
vector hurdle_poisson_log_cumulative(array[] int y, real rate, real hu) {
  return hurdle_cumulative(y, poisson_log_cumulative(y, rate), -rate, hu);
}

// Log probability of more, at each row.
vector hurdle_poisson_log_survival(array[] int y, real rate, real hu) {
  return hurdle_survival(y, poisson_log_survival(y, rate), -rate, hu);
}

// One draw for each of N rows: 1 for the first event in a unit of time, which there is, and those
// of the time that is left.
array[] int hurdle_poisson_emission_rng(int N, real rate, real hu) {
  vector[N] u = to_vector(uniform_rng(zeros_vector(N), 1));
  vector[N] left = rate + log1m(u .* (1 - exp(-rate)));
  array[N] int more = poisson_rng(left);
  for (n in 1:N) {
    more[n] += 1;
  }
  return inflate_zeros_rng(more, hu);
}
