// share ~ mix(beta, K=2)
functions {
  // x where it is between 0 and 1, a half elsewhere, for rows that are then taken out.
  vector between_or_half(vector x) {
    vector[num_elements(x)] inside = x;
    if (min(x) <= 0 || max(x) >= 1) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0 || x[n] >= 1) {
          inside[n] = 0.5;
        }
      }
    }
    return inside;
  }

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

  // Log density of each row; minus infinity unless y is between 0 and 1.
  vector beta_log_omega(vector y, real mu, real phi) {
    vector[num_elements(y)] inside = between_or_half(y);
    return restrict_to_positive(
      (mu .* phi - 1) .* log(inside) + ((1 - mu) .* phi - 1) .* log1m(inside)
      - lbeta(mu .* phi, (1 - mu) .* phi), fmin(y, 1 - y));
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
  vector[N] y; // share
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_logit;
  vector<lower=0>[K] phi;
  simplex[K] weights;
}
transformed parameters {
  vector[K] mu = ordered_between(mu_logit, 0, 1);
}
model {
  target += beta_lpdf(mu | 1, 1);
  target += ordered_between_log_derivative(mu_logit, 0, 1);
  target += gamma_lpdf(phi | 2, 0.1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = beta_log_omega(y, mu[k], phi[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = beta_log_omega(y, mu[k], phi[k]);
    }
  }
}
