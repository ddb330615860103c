// Dirichlet distribution of shares, which are positive and sum to 1: means mu, which do so too, and
// precision phi. y has one row a share and one column an observation.

// Log density of each observation.
vector dirichlet_log_omega(matrix y, vector mu, real phi) {
  matrix[rows(y), cols(y)] log_share = log(y);
  vector[cols(y)] log_density
    = phi .* (log_share' * mu) - log_share' * ones_vector(rows(y)) + lgamma(phi);
  for (d in 1:rows(y)) {
    log_density -= lgamma(mu[d] * phi);
  }
  return log_density;
}

// One draw for each of N observations, in columns.
matrix dirichlet_emission_rng(int N, vector mu, real phi) {
  matrix[num_elements(mu), N] share;
  for (n in 1:N) {
    share[, n] = dirichlet_rng(mu * phi);
  }
  return share;
}
