// Binomial distribution: successes y among trials, each with probability prob.

// Log of the number of ways to choose y of the trials; finite also where that is impossible.
vector log_ways(array[] int y, array[] int trials) {
  return lchoose(fmax(to_vector(trials), 0),
                 fmax(fmin(to_vector(y), to_vector(trials)), 0));
}

// Log mass of each row; minus infinity unless y is between 0 and trials.
vector binomial_log_omega(array[] int y, array[] int trials, real prob) {
  return restrict_to_nonnegative(
    log_ways(y, trials) + to_vector(y) .* log(prob)
    + (to_vector(trials) - to_vector(y)) .* log1m(prob),
    fmin(to_vector(y), to_vector(trials) - to_vector(y)));
}

// Log distribution function at each row.
vector binomial_log_cumulative(array[] int y, array[] int trials, real prob) {
  vector[size(y)] log_odds = log1m(prob) - log(prob) + zeros_vector(size(y));
  vector[size(y)] failures = to_vector(trials) - to_vector(y);
  return restrict_to_nonnegative(
    certain_unless_positive(
      log_beta_below(log_odds, fmax(failures, 1), fmax(to_vector(y), 0) + 1), failures),
    to_vector(y));
}

// Log probability of more, at each row.
vector binomial_log_survival(array[] int y, array[] int trials, real prob) {
  vector[size(y)] log_odds = log(prob) - log1m(prob) + zeros_vector(size(y));
  vector[size(y)] failures = to_vector(trials) - to_vector(y);
  return certain_unless_nonnegative(
    restrict_to_positive(
      log_beta_below(log_odds, fmax(to_vector(y), 0) + 1, fmax(failures, 1)), failures),
    to_vector(y));
}

// One draw for each row of trials.
array[] int binomial_emission_rng(array[] int trials, real prob) {
  return binomial_rng(trials, prob);
}
