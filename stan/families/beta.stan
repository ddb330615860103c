// Beta distribution of numbers between 0 and 1: mean mu, and precision phi.

// x where it is between 0 and 1, a half elsewhere, for rows that are then taken out.
vector between_or_half(vector x) {
  vector[num_elements(x)] inside = x;
  if (min(x) <= 0 || max(x) >= 1) {
    for (n in 1:num_elements(x)) {
      if (x[n] <= 0 || x[n] >= 1) {
        inside[n] = 0.5;
      }
    }
  }
  return inside;
}

// Log density of each row; minus infinity unless y is between 0 and 1.
vector beta_log_omega(vector y, real mu, real phi) {
  vector[num_elements(y)] inside = between_or_half(y);
  return restrict_to_positive(
    (mu .* phi - 1) .* log(inside) + ((1 - mu) .* phi - 1) .* log1m(inside)
    - lbeta(mu .* phi, (1 - mu) .* phi), fmin(y, 1 - y));
}

// Log distribution function at each row.
vector beta_log_cumulative(vector y, real mu, real phi) {
  vector[num_elements(y)] inside = between_or_half(y);
  vector[num_elements(y)] log_odds = logit(inside);
  vector[num_elements(y)] a = mu .* phi + zeros_vector(num_elements(y));
  vector[num_elements(y)] b = (1 - mu) .* phi + zeros_vector(num_elements(y));
  return restrict_to_positive(certain_unless_positive(log_beta_below(log_odds, a, b), 1 - y), y);
}

// Log probability of more, at each row.
vector beta_log_survival(vector y, real mu, real phi) {
  return beta_log_cumulative(1 - y, 1 - mu, phi);
}

// One draw for each of N rows.
vector beta_emission_rng(int N, real mu, real phi) {
  return to_vector(beta_rng(mu .* phi + zeros_vector(N), (1 - mu) .* phi));
}
