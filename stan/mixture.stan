// Log density of each observation under a mixture, the components summed out:
// log(sum over k of weights[k] * exp(log_omega[k, n])).
// log_sum_exp of two minus infinities has no gradient, so -1e300 stands in for the first.
vector mixture_log_density(array[] vector log_omega, vector weights) {
  vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
  if (min(total) < -1e300) {
    total = fmax(total, -1e300);
  }
  for (k in 2:size(log_omega)) {
    total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
  }
  return total;
}

// Log density of each observation under a mixture whose weights differ by observation:
// log(sum over k of exp(log_weights[k, n] + log_omega[k, n])). -1e300 stands in for minus infinity in
// the first, since log_sum_exp of two of these has no gradient.
vector mixture_of_experts_log_density(array[] vector log_omega, array[] vector log_weights) {
  vector[num_elements(log_omega[1])] total = log_weights[1] + log_omega[1];
  if (min(total) < -1e300) {
    total = fmax(total, -1e300);
  }
  for (k in 2:size(log_omega)) {
    total = log_sum_exp(total, log_weights[k] + log_omega[k]);
  }
  return total;
}

// The sum of log densities, minus infinity where -1e300 stands for that in one.
real sum_log_density(vector log_density) {
  real total = sum(log_density);
  return total < -1e299 ? negative_infinity() : total;
}
