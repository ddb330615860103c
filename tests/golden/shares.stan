// positive ~ mix(gamma, K=2, share=shape)
functions {
  // The log density where x is positive, minus infinity elsewhere.
  vector restrict_to_positive(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
  // for rows that `restrict_to_positive` then takes out. (stanli cannot make a branch that depends on
  // a parameter where there are no rows.)
  vector positive_or_one(vector x) {
    vector[num_elements(x)] positive = x;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          positive[n] = 1;
        }
      }
    }
    return positive;
  }

  // Log density of each row; minus infinity unless y is positive.
  vector gamma_log_omega(vector y, real mu, real shape) {
    return restrict_to_positive(
      shape .* (log(positive_or_one(y)) - log(mu) - y ./ mu)
      + (shape .* log(shape) - lgamma(shape))
      - log(positive_or_one(y)), y);
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y; // positive
  real y_mean; // mean of positive
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] mu;
  real<lower=0> shape;
  simplex[K] weights;
}
model {
  target += exponential_lpdf(mu | 1 / y_mean);
  target += gamma_lpdf(shape | 2, 0.1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = gamma_log_omega(y, mu[k], shape);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = gamma_log_omega(y, mu[k], shape);
    }
  }
}
