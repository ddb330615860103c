// Exponentially modified normal distribution: a normal variable with mean mu and standard deviation
// sigma, plus an exponential one with mean tau.

// log(2 * tau) plus the log density of each row. With z = (y - mu) / sigma and r = sigma / tau the
// density is exp(r^2 / 2 - r * z) * erfc((r - z) / sqrt(2)) / (2 * tau). Above z = r, where erfc is
// between 1 and 2, the exponent is -r^2 / 2 - r * (z - r); below, exp(-z^2 / 2) and a scaled erfc
// take its place. So nothing large is subtracted from anything large. `taken`, at most z^2 and equal
// to it where anything is, is left out of z^2.
vector exgaussian_log_kernel(vector y, real mu, real sigma, real tau, vector taken) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  vector[num_elements(y)] r = sigma ./ tau + zeros_vector(num_elements(y));
  vector[num_elements(y)] above = 0.5 * (abs(z - r) + z - r);
  vector[num_elements(y)] below = above - (z - r);
  return log_scaled_erfc(below / sqrt(2)) + log(erfc(-above / sqrt(2)))
         - 0.5 * (square(z - above) - taken) - r .* above;
}

// Log density of each row.
vector exgaussian_log_omega(vector y, real mu, real sigma, real tau) {
  return exgaussian_log_kernel(y, mu, sigma, tau, zeros_vector(num_elements(y))) - log(2 * tau);
}

// Log distribution function at each row: that of the normal variable less the kernel, both without
// exp(-z^2 / 2) where z is negative. Rounding must not leave nothing.
vector exgaussian_log_cumulative(vector y, real mu, real sigma, real tau) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  vector[num_elements(y)] below = 0.5 * (abs(z) - z);
  vector[num_elements(y)] normal = log_scaled_erfc(below / sqrt2())
                                   + log(erfc(-(z + below) / sqrt2()));
  vector[num_elements(y)] kernel = exgaussian_log_kernel(y, mu, sigma, tau, square(below));
  return log_diff_exp(normal, fmin(kernel, normal - 1e-15)) - 0.5 * square(below) - log2();
}

// Log probability of more, at each row.
vector exgaussian_log_survival(vector y, real mu, real sigma, real tau) {
  return log_sum_exp(log_erfc((y - mu) ./ (sqrt2() * sigma)),
                     exgaussian_log_kernel(y, mu, sigma, tau, zeros_vector(num_elements(y))))
         - log2();
}

// One draw for each of N rows.
vector exgaussian_emission_rng(int N, real mu, real sigma, real tau) {
  return normal_emission_rng(N, mu, sigma) + exponential_emission_rng(N, inv(tau));
}
