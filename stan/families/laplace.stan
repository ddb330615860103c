// Laplace (double exponential) distribution: location mu, scale sigma.

// Log density of each row.
vector laplace_log_omega(vector y, real mu, real sigma) {
  return -abs(y - mu) ./ sigma - log(2 * sigma);
}

// Log distribution function at each row.
vector laplace_log_cumulative(vector y, real mu, real sigma) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  for (n in 1:num_elements(y)) {
    z[n] = double_exponential_lcdf(z[n] | 0, 1);
  }
  return z;
}

// One draw for each of N rows.
vector laplace_emission_rng(int N, real mu, real sigma) {
  return to_vector(double_exponential_rng(mu + zeros_vector(N), sigma));
}
