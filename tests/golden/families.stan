// y ~ mix(normal + student + normal(sigma=1))
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // Log density of each row; the beta function keeps its digits where nu is large.
  vector student_log_omega(vector y, real mu, real sigma, real nu) {
    return -0.5 * (nu + 1) .* log1p(square((y - mu) ./ sigma) ./ nu)
           - (log(sigma) + 0.5 * log(nu) + lbeta(0.5, 0.5 * nu));
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
  real<lower=0> sigma_1;
  real<lower=0> sigma_2;
  real<lower=1> nu_2;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma_1 | 3, y_scale);
  target += inv_gamma_lpdf(sigma_2 | 3, y_scale);
  target += gamma_lpdf(nu_2 | 2, 0.1) - gamma_lccdf(1 | 2, 0.1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = normal_log_omega(y, mu[1], sigma_1);
  log_omega[2] = student_log_omega(y, mu[2], sigma_2, nu_2);
  log_omega[3] = normal_log_omega(y, mu[3], 1);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = normal_log_omega(y, mu[1], sigma_1);
    log_omega[2] = student_log_omega(y, mu[2], sigma_2, nu_2);
    log_omega[3] = normal_log_omega(y, mu[3], 1);
  }
}
