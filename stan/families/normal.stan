// Normal distribution of one column: location mu, standard deviation sigma.

// Log density of each row.
vector normal_log_omega(vector y, real mu, real sigma) {
  return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
}

// Log distribution function at each row.
vector normal_log_cumulative(vector y, real mu, real sigma) {
  return log_erfc((mu - y) ./ (sqrt2() * sigma)) - log2();
}

// Log probability of more, at each row.
vector normal_log_survival(vector y, real mu, real sigma) {
  return log_erfc((y - mu) ./ (sqrt2() * sigma)) - log2();
}

// One draw for each of N rows.
vector normal_emission_rng(int N, real mu, real sigma) {
  return to_vector(normal_rng(mu + zeros_vector(N), sigma));
}
