// Student's t distribution: location mu, scale sigma, degrees of freedom nu.

// Log density of each row; the beta function keeps its digits where nu is large.
vector student_log_omega(vector y, real mu, real sigma, real nu) {
  return -0.5 * (nu + 1) .* log1p(square((y - mu) ./ sigma) ./ nu)
         - (log(sigma) + 0.5 * log(nu) + lbeta(0.5, 0.5 * nu));
}

// Log distribution function at each row.
vector student_log_cumulative(vector y, real mu, real sigma, real nu) {
  vector[num_elements(y)] z = (y - mu) ./ sigma;
  vector[num_elements(y)] degrees = nu + zeros_vector(num_elements(y));
  for (n in 1:num_elements(y)) {
    z[n] = student_t_lcdf(z[n] | degrees[n], 0, 1);
  }
  return z;
}

// One draw for each of N rows.
vector student_emission_rng(int N, real mu, real sigma, real nu) {
  return to_vector(student_t_rng(nu, mu + zeros_vector(N), sigma));
}
