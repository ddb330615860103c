// rt | trunc(ub=most) ~ mix(wald, K=2)
// drift ~ x
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
  vector wald_shifted_log_density(vector rt, real threshold, vector drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    return restrict_to_positive(wald_log_density(t, threshold, drift .* t), decision);
  }

  // Log density of each row; minus infinity unless rt is above ndt.
  vector wald_log_omega(vector rt, real threshold, vector drift, real ndt) {
    return wald_shifted_log_density(rt, threshold, drift, ndt);
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

  // log(erfc(x)). Beyond 26, where erfc nears underflow, its ratio to erfc(26) is put in as a factor.
  vector log_erfc(vector x) {
    vector[num_elements(x)] beyond = excess_over_26(x);
    return log(erfc(x - beyond)) - beyond .* (beyond + 52)
           - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
  }

  // Log distribution function at each row.
  vector wald_log_cumulative(vector rt, real threshold, vector drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    vector[num_elements(rt)] spread = sqrt(2 * t);
    vector[num_elements(rt)] a = (threshold - drift .* t) ./ spread;
    vector[num_elements(rt)] b = (threshold + drift .* t) ./ spread;
    vector[num_elements(rt)] log_probability
      = log_sum_exp(log_erfc(a), 2 * drift .* threshold + log_erfc(b)) - log2();
    return restrict_to_positive(log_probability, decision);
  }

  // The log probability of being above x where that is positive, 0 elsewhere, where it is certain.
  vector certain_unless_positive(vector log_probability, vector x) {
    vector[num_elements(x)] probable = log_probability;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          probable[n] = 0;
        }
      }
    }
    return probable;
  }

  // Log probability of no passage until the times t, all positive, where the mean paths of the
  // diffusions have come to path = drift * t:
  // S = (erfc(a) - exp(2 drift threshold) erfc(b)) / 2, where 2 drift threshold = b^2 - a^2.
  // Up to 26 erfc itself serves (its gradient is exact, that of std_normal_lcdf is not). An argument
  // beyond counts as 26 there, and the ratio of exp(x^2) erfc(x) at x and at 26 is put in as a
  // factor, which is 1 for all others. So there is no branch, no overflow, and exp(-a^2) is taken
  // out where it would underflow.
  vector wald_log_no_passage(vector t, real threshold, vector path) {
    vector[num_elements(t)] spread = sqrt(2 * t);
    vector[num_elements(t)] a = (path - threshold) ./ spread;
    vector[num_elements(t)] b = (path + threshold) ./ spread;
    vector[num_elements(t)] beyond_a = excess_over_26(a);
    vector[num_elements(t)] beyond_b = excess_over_26(b);
    vector[num_elements(t)] near_a = a - beyond_a;
    vector[num_elements(t)] near_b = b - beyond_b;
    return log(erfc(near_a) ./ inverse_scaled_erfc(26 + beyond_a)
               - exp((near_b - near_a) .* (near_b + near_a)) .* erfc(near_b)
                 ./ inverse_scaled_erfc(26 + beyond_b))
           - beyond_a .* (beyond_a + 52)
           + log(0.5 * inverse_scaled_erfc([26]')[1]);
  }

  // Log probability of more, at each row.
  vector wald_log_survival(vector rt, real threshold, vector drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    return certain_unless_positive(wald_log_no_passage(t, threshold, drift .* t), decision);
  }

  // Log density of rows of which each is seen with a probability: minus infinity where that is 0.
  vector given_seen(vector log_density, vector log_seen) {
    vector[num_elements(log_density)] conditional = log_density - fmax(log_seen, -1e300);
    if (min(log_seen) < -1e299) {
      for (n in 1:num_elements(log_density)) {
        if (log_seen[n] < -1e299) {
          conditional[n] = negative_infinity();
        }
      }
    }
    return conditional;
  }

  // Log density of rows that are all seen with the same probability: minus infinity where that is 0.
  vector given_seen(vector log_density, real log_seen) {
    return log_density - (log_seen < -1e299 ? positive_infinity() : log_seen);
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

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] rt;
  vector[N] upper_rt; // rt is only seen up to this
  real rt_center; // median of rt
  int<lower=1> P_drift; // terms of drift: x
  matrix[N, P_drift] X_drift; // less their means
  vector[P_drift] X_drift_mean;
  vector[P_drift] beta_drift_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] threshold;
  vector<lower=0>[K] drift;
  array[K] vector[P_drift] slope_drift;
  vector<lower=0>[K] ndt;
  simplex[K] weights;
}
model {
  target += lognormal_lpdf(threshold | log(2 * sqrt(rt_center)), 0.75);
  target += normal_lpdf(drift | 0, 5 / sqrt(rt_center)) - K * normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  for (k in 1:K) {
    target += normal_lpdf(slope_drift[k] | rep_vector(0, P_drift), beta_drift_scale);
  }
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] drift_by_row = drift[k] * exp(X_drift * slope_drift[k]);
    log_omega[k] = given_seen(
                     wald_log_omega(rt, threshold[k], drift_by_row, ndt[k]),
                     wald_log_cumulative(upper_rt, threshold[k], drift_by_row, ndt[k]));
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K] vector[P_drift + 1] beta_drift;
  for (k in 1:K) {
    beta_drift[k] = from_means(log(drift[k]), X_drift_mean, slope_drift[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] drift_by_row = drift[k] * exp(X_drift * slope_drift[k]);
      log_omega[k] = given_seen(
                       wald_log_omega(rt, threshold[k], drift_by_row, ndt[k]),
                       wald_log_cumulative(upper_rt, threshold[k], drift_by_row, ndt[k]));
    }
  }
}
