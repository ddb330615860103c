// rt ~ mix(wald, K=2, order=none)
functions {
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

  // Log density of first passage at the times t, all positive, where the mean paths of the diffusions
  // have come to drift * t.
  vector wald_log_density(vector t, real threshold, vector path) {
    return (log(threshold) - 0.5 * log(2 * pi())) - 1.5 * log(t)
           - 0.5 * square(threshold - path) ./ t;
  }

  // Log density of rt at each row; minus infinity unless rt is above ndt.
  vector wald_shifted_log_density(vector rt, real threshold, real drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    return restrict_to_positive(wald_log_density(t, threshold, drift .* t), decision);
  }

  // Log density of each row; minus infinity unless rt is above ndt.
  vector wald_log_omega(vector rt, real threshold, real drift, real ndt) {
    return wald_shifted_log_density(rt, threshold, drift, ndt);
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
  vector[N] rt;
  real rt_center; // median of rt
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector<lower=0>[K] threshold;
  vector<lower=0>[K] drift;
  vector<lower=0, upper=0.5>[K] ndt;
  simplex[K] weights;
}
model {
  target += lognormal_lpdf(threshold | log(2 * sqrt(rt_center)), 0.75);
  target += lognormal_lpdf(drift[1] | 1, 1);
  target += lognormal_lpdf(drift[2] | 0, 1);
  target += uniform_lpdf(ndt | 0, 0.5);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = wald_log_omega(rt, threshold[k], drift[k], ndt[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = wald_log_omega(rt, threshold[k], drift[k], ndt[k]);
    }
  }
}
