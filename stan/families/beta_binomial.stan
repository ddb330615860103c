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

// Log mass of the counts from `low` to `high`, of which there is one at least.
real beta_binomial_log_total(int low, int high, int trials, real prob, real phi) {
  int counts = high - low + 1;
  return log_sum_exp(beta_binomial_log_omega(linspaced_int_array(counts, low, high),
                                             rep_array(trials, counts), prob, phi));
}

// Log distribution function at each row.
vector beta_binomial_log_cumulative(array[] int y, array[] int trials, real prob, real phi) {
  vector[size(y)] each_prob = prob + zeros_vector(size(y));
  vector[size(y)] each_phi = phi + zeros_vector(size(y));
  vector[size(y)] log_cumulative = zeros_vector(size(y));
  for (n in 1:size(y)) {
    if (y[n] >= 0 && y[n] < trials[n]) {
      log_cumulative[n] = beta_binomial_log_total(0, y[n], trials[n], each_prob[n], each_phi[n]);
    }
  }
  return restrict_to_nonnegative(log_cumulative, to_vector(y));
}

// Log probability of more, at each row.
vector beta_binomial_log_survival(array[] int y, array[] int trials, real prob, real phi) {
  vector[size(y)] each_prob = prob + zeros_vector(size(y));
  vector[size(y)] each_phi = phi + zeros_vector(size(y));
  vector[size(y)] log_survival = zeros_vector(size(y));
  for (n in 1:size(y)) {
    if (y[n] >= 0 && y[n] < trials[n]) {
      log_survival[n]
        = beta_binomial_log_total(y[n] + 1, trials[n], trials[n], each_prob[n], each_phi[n]);
    }
  }
  return restrict_to_positive(log_survival, to_vector(trials) - to_vector(y));
}

// One draw for each row of trials.
array[] int beta_binomial_emission_rng(array[] int trials, real prob, real phi) {
  return beta_binomial_rng(trials, prob .* phi + zeros_vector(size(trials)), (1 - prob) .* phi);
}
