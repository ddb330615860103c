// y ~ mix(normal, K=2)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // An increasing vector between two bounds, from its increasing logits.
  vector ordered_between(vector logits, real low, real high) {
    return low + (high - low) * inv_logit(logits);
  }

  // Log absolute derivative of ordered_between.
  real ordered_between_log_derivative(vector logits, real low, real high) {
    return num_elements(logits) * log(high - low)
           + sum(log_inv_logit(logits)) + sum(log1m_inv_logit(logits));
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
  vector[N] y;
  real y_scale; // standard deviation of y
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_logit;
  vector<lower=0>[K] sigma;
  simplex[K] weights;
}
transformed parameters {
  vector[K] mu = ordered_between(mu_logit, -10, 10);
}
model {
  target += uniform_lpdf(mu | -10, 10);
  target += ordered_between_log_derivative(mu_logit, -10, 10);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
  }
}
