// Frechet distribution of largest values, all positive: scale and shape.

// Log density of each row; minus infinity unless y is positive.
vector frechet_log_omega(vector y, real scale, real shape) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  vector[num_elements(y)] s = shape .* (log_y - log(scale));
  return restrict_to_positive(log(shape) - log_y - s - bounded_exp(-s), y);
}

// Log distribution function at each row.
vector frechet_log_cumulative(vector y, real scale, real shape) {
  return restrict_to_positive(
    -bounded_exp(shape .* (log(scale) - log(positive_or_one(y)))), y);
}

// Log probability of more, at each row.
vector frechet_log_survival(vector y, real scale, real shape) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  vector[num_elements(y)] s = shape .* (log(scale) - log_y);
  return certain_unless_positive(log1m_exp_of_exp(s), y);
}

// One draw for each of N rows.
vector frechet_emission_rng(int N, real scale, real shape) {
  return exp(gumbel_emission_rng(N, log(scale), inv(shape)));
}
