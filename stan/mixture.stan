// Log density of all observations under a mixture, the components summed out:
// sum over n of log(sum over k of weights[k] * exp(log_omega[k, n])).
// log_sum_exp of two minus infinities has no gradient, so -1e300 stands in for the first.
real mixture_log_density(array[] vector log_omega, vector weights) {
  vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
  if (min(total) < -1e300) {
    total = fmax(total, -1e300);
  }
  for (k in 2:size(log_omega)) {
    total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
  }
  real density = sum(total);
  return density < -1e299 ? negative_infinity() : density;
}

// The same with weights that differ by row: log_weights[k, n].
real mixture_of_experts_log_density(array[] vector log_omega, array[] vector log_weights) {
  vector[num_elements(log_omega[1])] total = log_weights[1] + log_omega[1];
  if (min(total) < -1e300) {
    total = fmax(total, -1e300);
  }
  for (k in 2:size(log_omega)) {
    total = log_sum_exp(total, log_weights[k] + log_omega[k]);
  }
  real density = sum(total);
  return density < -1e299 ? negative_infinity() : density;
}
