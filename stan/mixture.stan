// Log density of all observations under a mixture, the components summed out:
// sum over n of log(sum over k of weights[k] * exp(log_omega[k, n])).
real mixture_log_density(array[] vector log_omega, vector weights) {
  vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
  for (k in 2:size(log_omega)) {
    total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
  }
  return sum(total);
}
