// Student's t distribution: location mu, scale sigma, degrees of freedom nu.

// Log density of each row; the beta function keeps its digits where nu is large.
vector student_log_omega(vector y, real mu, real sigma, real nu) {
  return -0.5 * (nu + 1) .* log1p(square((y - mu) ./ sigma) ./ nu)
         - (log(sigma) + 0.5 * log(nu) + lbeta(0.5, 0.5 * nu));
}

// Log distribution function at each row.
vector student_log_cumulative(vector y, real mu, real sigma, real nu) {
  return log_student_below((y - mu) ./ sigma, nu + zeros_vector(num_elements(y)));
}

// Log probability of more, at each row.
vector student_log_survival(vector y, real mu, real sigma, real nu) {
  return log_student_below((mu - y) ./ sigma, nu + zeros_vector(num_elements(y)));
}

// One draw for each of N rows.
vector student_emission_rng(int N, real mu, real sigma, real nu) {
  return to_vector(student_t_rng(nu, mu + zeros_vector(N), sigma));
}
