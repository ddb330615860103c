// Laplace (double exponential) distribution: location mu, scale sigma.

// Log density of each row.
vector laplace_log_omega(vector y, real mu, real sigma) {
  return -abs(y - mu) ./ sigma - log(2 * sigma);
}

// Log distribution function of the standard form.
vector log_laplace_below(vector z) {
  vector[num_elements(z)] log_tail = -abs(z) - log2();
  return log_of_nearer_tail(z, log_tail, log_tail);
}

// Log distribution function at each row.
vector laplace_log_cumulative(vector y, real mu, real sigma) {
  return log_laplace_below((y - mu) ./ sigma);
}

// Log probability of more, at each row.
vector laplace_log_survival(vector y, real mu, real sigma) {
  return log_laplace_below((mu - y) ./ sigma);
}

// One draw for each of N rows.
vector laplace_emission_rng(int N, real mu, real sigma) {
  return to_vector(double_exponential_rng(mu + zeros_vector(N), sigma));
}
