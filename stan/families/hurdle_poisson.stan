// Hurdle Poisson distribution: 0 with probability hu, else Poisson with a rate, but never 0.

// Log mass of each row; minus infinity where y is negative.
vector hurdle_poisson_log_omega(array[] int y, real rate, real hu) {
  vector[size(y)] log_hu = log(hu) + zeros_vector(size(y));
  vector[size(y)] log_mass = poisson_log_omega(y, rate) + (log1m(hu) - log1m_exp(-rate));
  for (n in 1:size(y)) {
    if (y[n] == 0) {
      log_mass[n] = log_hu[n];
    }
  }
  return log_mass;
}

// Log distribution function at each row. Rounding must not leave it below the mass of 0.
vector hurdle_poisson_log_cumulative(array[] int y, real rate, real hu) {
  vector[size(y)] log_zero = -rate + zeros_vector(size(y));
  vector[size(y)] log_hu = log(hu) + zeros_vector(size(y));
  vector[size(y)] beyond = log_diff_exp(fmax(poisson_log_cumulative(y, rate), log_zero), log_zero);
  return restrict_to_nonnegative(
    log_sum_exp(log_hu, beyond + (log1m(hu) - log1m_exp(-rate))), to_vector(y));
}

// Log probability of more, at each row.
vector hurdle_poisson_log_survival(array[] int y, real rate, real hu) {
  return certain_unless_nonnegative(
    log1m(hu) - log1m_exp(-rate) + poisson_log_survival(y, rate), to_vector(y));
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
