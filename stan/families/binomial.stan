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
  vector[size(y)] each_prob = prob + zeros_vector(size(y));
  vector[size(y)] log_cumulative = zeros_vector(size(y));
  for (n in 1:size(y)) {
    if (y[n] >= 0 && y[n] < trials[n]) {
      log_cumulative[n] = binomial_lcdf(y[n] | trials[n], each_prob[n]);
    }
  }
  return restrict_to_nonnegative(log_cumulative, to_vector(y));
}

// One draw for each row of trials.
array[] int binomial_emission_rng(array[] int trials, real prob) {
  return binomial_rng(trials, prob);
}
