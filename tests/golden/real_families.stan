// y ~ mix(laplace + logistic + gumbel + exgaussian + skew_normal)
functions {
  // Log density of each row.
  vector laplace_log_omega(vector y, real mu, real sigma) {
    return -abs(y - mu) ./ sigma - log(2 * sigma);
  }

  // Log density of each row.
  vector logistic_log_omega(vector y, real mu, real sigma) {
    vector[num_elements(y)] z = abs(y - mu) ./ sigma;
    return -z - log(sigma) - 2 * log1p_exp(-z);
  }

  // exp(x), at most 1e299: beyond, a density is 0 for every purpose, and stays finite.
  vector bounded_exp(vector x) {
    return exp(fmin(x, 688));
  }

  // Log density of each row.
  vector gumbel_log_omega(vector y, real mu, real sigma) {
    vector[num_elements(y)] z = (y - mu) ./ sigma;
    return -z - bounded_exp(-z) - log(sigma);
  }

  // How far x is above 26, where erfc(x) nears underflow. abs costs a fraction of fmax here.
  vector excess_over_26(vector x) {
    vector[num_elements(x)] over = x - 26;
    return 0.5 * (abs(over) + over);
  }

  // exp(-x^2) / (sqrt(pi) * erfc(x)) for x >= 26, by the continued fraction of erfc.
  vector inverse_scaled_erfc(vector x) {
    return x + 0.5 ./ (x + 1 ./ (x + 1.5 ./ x));
  }

  // log(exp(x^2) * erfc(x)), without the squares of large x, which would cancel.
  vector log_scaled_erfc(vector x) {
    vector[num_elements(x)] beyond = excess_over_26(x);
    vector[num_elements(x)] near = x - beyond;
    return log(erfc(near)) + square(near)
           - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
  }

  // log(2 * tau) plus the log density of each row. With z = (y - mu) / sigma and r = sigma / tau the
  // density is exp(r^2 / 2 - r * z) * erfc((r - z) / sqrt(2)) / (2 * tau). Above z = r, where erfc is
  // between 1 and 2, the exponent is -r^2 / 2 - r * (z - r); below, exp(-z^2 / 2) and a scaled erfc
  // take its place. So nothing large is subtracted from anything large. `taken`, at most z^2 and equal
  // to it where anything is, is left out of z^2.
  vector exgaussian_log_kernel(vector y, real mu, real sigma, real tau, vector taken) {
    vector[num_elements(y)] z = (y - mu) ./ sigma;
    vector[num_elements(y)] r = sigma ./ tau + zeros_vector(num_elements(y));
    vector[num_elements(y)] above = 0.5 * (abs(z - r) + z - r);
    vector[num_elements(y)] below = above - (z - r);
    return log_scaled_erfc(below / sqrt(2)) + log(erfc(-above / sqrt(2)))
           - 0.5 * (square(z - above) - taken) - r .* above;
  }

  // Log density of each row.
  vector exgaussian_log_omega(vector y, real mu, real sigma, real tau) {
    return exgaussian_log_kernel(y, mu, sigma, tau, zeros_vector(num_elements(y))) - log(2 * tau);
  }

  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // log(erfc(x)). Beyond 26, where erfc nears underflow, its ratio to erfc(26) is put in as a factor.
  vector log_erfc(vector x) {
    vector[num_elements(x)] beyond = excess_over_26(x);
    return log(erfc(x - beyond)) - beyond .* (beyond + 52)
           - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
  }

  // Log density of each row.
  vector skew_normal_log_omega(vector y, real mu, real sigma, real alpha) {
    return normal_log_omega(y, mu, sigma) + log_erfc(-alpha .* (y - mu) ./ (sqrt(2) * sigma));
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
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  real<lower=0> tau_4;
  real alpha_5;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += exponential_lpdf(tau_4 | 1 / y_scale);
  target += normal_lpdf(alpha_5 | 0, 4);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = laplace_log_omega(y, mu[1], sigma[1]);
  log_omega[2] = logistic_log_omega(y, mu[2], sigma[2]);
  log_omega[3] = gumbel_log_omega(y, mu[3], sigma[3]);
  log_omega[4] = exgaussian_log_omega(y, mu[4], sigma[4], tau_4);
  log_omega[5] = skew_normal_log_omega(y, mu[5], sigma[5], alpha_5);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = laplace_log_omega(y, mu[1], sigma[1]);
    log_omega[2] = logistic_log_omega(y, mu[2], sigma[2]);
    log_omega[3] = gumbel_log_omega(y, mu[3], sigma[3]);
    log_omega[4] = exgaussian_log_omega(y, mu[4], sigma[4], tau_4);
    log_omega[5] = skew_normal_log_omega(y, mu[5], sigma[5], alpha_5);
  }
}
