// y | known(label) + freq(choice) ~ mix(normal, K=3)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // The sum of log densities, minus infinity where -1e300 stands for that in one.
  real sum_log_density(vector log_density) {
    real total = sum(log_density);
    return total < -1e299 ? negative_infinity() : total;
  }

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

  // Log densities with minus infinity in the states that are known not to be: possible[k, n] is 0.
  array[] vector keep_possible(array[] vector log_omega, array[,] int possible) {
    array[size(log_omega)] vector[num_elements(log_omega[1])] kept;
    for (k in 1:size(log_omega)) {
      kept[k] = log_omega[k] + log(to_vector(possible[k]));
    }
    return kept;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  vector<lower=0>[N] freq; // choice: how often a row counts
  array[K, N] int<lower=0, upper=1> possible; // label: which states there may be
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  target += sum_log_density(freq .* mixture_log_density(keep_possible(log_omega, possible), weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
  }
}
