// Logistic distribution: location mu, scale sigma.

// Log density of each row.
vector logistic_log_omega(vector y, real mu, real sigma) {
  vector[num_elements(y)] z = abs(y - mu) ./ sigma;
  return -z - log(sigma) - 2 * log1p_exp(-z);
}

// Log distribution function at each row.
vector logistic_log_cumulative(vector y, real mu, real sigma) {
  return -log1p_exp((mu - y) ./ sigma);
}

// Log probability of more, at each row.
vector logistic_log_survival(vector y, real mu, real sigma) {
  return -log1p_exp((y - mu) ./ sigma);
}

// One draw for each of N rows.
vector logistic_emission_rng(int N, real mu, real sigma) {
  return to_vector(logistic_rng(mu + zeros_vector(N), sigma));
}
