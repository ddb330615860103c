// Normal distribution of one column: location mu, standard deviation sigma.

// Log density of each row.
vector normal_log_omega(vector y, real mu, real sigma) {
  return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
}

// Log distribution function at each row.
vector normal_log_cumulative(vector y, real mu, real sigma) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  for (n in 1:num_elements(y)) {
    z[n] = std_normal_lcdf(z[n] | );
  }
  return z;
}

// One draw for each of N rows.
vector normal_emission_rng(int N, real mu, real sigma) {
  return to_vector(normal_rng(mu + zeros_vector(N), sigma));
}
