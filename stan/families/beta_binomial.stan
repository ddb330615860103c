// Beta-binomial distribution: successes y among trials, whose probability has a beta distribution
// with mean prob and precision phi.

// Log mass of each row; minus infinity unless y is between 0 and trials.
vector beta_binomial_log_omega(array[] int y, array[] int trials, real prob, real phi) {
  vector[size(y)] successes = fmax(fmin(to_vector(y), to_vector(trials)), 0);
  vector[size(y)] failures = fmax(to_vector(trials), 0) - successes;
  return restrict_to_nonnegative(
    log_ways(y, trials)
    + lbeta(successes + prob .* phi, failures + (1 - prob) .* phi)
    - lbeta(prob .* phi, (1 - prob) .* phi),
    fmin(to_vector(y), to_vector(trials) - to_vector(y)));
}

// Log distribution function at each row.
vector beta_binomial_log_cumulative(array[] int y, array[] int trials, real prob, real phi) {
  vector[size(y)] each_prob = prob + zeros_vector(size(y));
  vector[size(y)] each_phi = phi + zeros_vector(size(y));
  vector[size(y)] log_cumulative = zeros_vector(size(y));
  for (n in 1:size(y)) {
    if (y[n] >= 0 && y[n] < trials[n]) {
      array[y[n] + 1] int upto = linspaced_int_array(y[n] + 1, 0, y[n]);
      log_cumulative[n] = log_sum_exp(
        beta_binomial_log_omega(upto, rep_array(trials[n], y[n] + 1), each_prob[n], each_phi[n]));
    }
  }
  return restrict_to_nonnegative(log_cumulative, to_vector(y));
}

// One draw for each row of trials.
array[] int beta_binomial_emission_rng(array[] int trials, real prob, real phi) {
  return beta_binomial_rng(trials, prob .* phi + zeros_vector(size(trials)), (1 - prob) .* phi);
}
