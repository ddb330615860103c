// Gumbel distribution of largest values: mode mu, scale sigma.

// exp(x), at most 1e299: beyond, a density is 0 for every purpose, and stays finite.
vector bounded_exp(vector x) {
  return exp(fmin(x, 688));
}

// Log density of each row.
vector gumbel_log_omega(vector y, real mu, real sigma) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  return -z - bounded_exp(-z) - log(sigma);
}

// log(1 - exp(-exp(x))), which is x where that is very negative.
vector log1m_exp_of_exp(vector x) {
  vector[num_elements(x)] near = fmax(x, -30);
  return log1m_exp(-bounded_exp(near)) + (x - near);
}

// Log distribution function at each row.
vector gumbel_log_cumulative(vector y, real mu, real sigma) {
  return -bounded_exp((mu - y) ./ sigma);
}

// Log probability of more, at each row.
vector gumbel_log_survival(vector y, real mu, real sigma) {
  return log1m_exp_of_exp((mu - y) ./ sigma);
}

// One draw for each of N rows.
vector gumbel_emission_rng(int N, real mu, real sigma) {
  return to_vector(gumbel_rng(mu + zeros_vector(N), sigma));
}
