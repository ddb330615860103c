// Exponentially modified normal distribution: a normal variable with mean mu and standard deviation
// sigma, plus an exponential one with mean tau.

// log(2 * tau) plus the log density of each row. With z = (y - mu) / sigma and r = sigma / tau the
// density is exp(r^2 / 2 - r * z) * erfc((r - z) / sqrt(2)) / (2 * tau). Above z = r, where erfc is
// between 1 and 2, the exponent is -r^2 / 2 - r * (z - r); below, exp(-z^2 / 2) and a scaled erfc
// take its place. So nothing large is subtracted from anything large.
vector exgaussian_log_kernel(vector y, real mu, real sigma, real tau) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  vector[num_elements(y)] r = sigma ./ tau + zeros_vector(num_elements(y));
  vector[num_elements(y)] above = 0.5 * (abs(z - r) + z - r);
  vector[num_elements(y)] below = above - (z - r);
  return log_scaled_erfc(below / sqrt(2)) + log(erfc(-above / sqrt(2)))
         - 0.5 * square(z - above) - r .* above;
}

// Log density of each row.
vector exgaussian_log_omega(vector y, real mu, real sigma, real tau) {
  return exgaussian_log_kernel(y, mu, sigma, tau) - log(2 * tau);
}

// Log distribution function at each row.
vector exgaussian_log_cumulative(vector y, real mu, real sigma, real tau) {
  return log_diff_exp(log_erfc((mu - y) ./ (sqrt(2) * sigma)),
                      exgaussian_log_kernel(y, mu, sigma, tau)) - log2();
}

// One draw for each of N rows.
vector exgaussian_emission_rng(int N, real mu, real sigma, real tau) {
  return normal_emission_rng(N, mu, sigma) + exponential_emission_rng(N, inv(tau));
}
