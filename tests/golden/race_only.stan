// rt | dec(choice) ~ mix(rdm, K=1)
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

  // For each row the value of the accumulator that comes `after` the chosen one in a circle.
  vector of_accumulator(vector values, array[] int choice, int after) {
    return segment(append_row(values, values), 1 + after, num_elements(values))[choice];
  }

  // Log density of first passage at the times t, all positive, where the mean paths of the diffusions
  // have come to drift * t.
  vector wald_log_density(vector t, real threshold, vector path) {
    return (log(threshold) - 0.5 * log(2 * pi())) - 1.5 * log(t)
           - 0.5 * square(threshold - path) ./ t;
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

  // Log density of each row; minus infinity unless rt is above ndt. It is the density of the winner
  // and the survivals of A - 1 losers: those that come 1, 2, .. after the winner in a circle.
  vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    vector[num_elements(rt)] winner = of_accumulator(drift, choice, 0);
    vector[num_elements(rt)] log_density = wald_log_density(t, threshold, winner .* t);
    for (after in 1:(A - 1)) {
      vector[num_elements(rt)] loser = of_accumulator(drift, choice, after);
      log_density += wald_log_no_passage(t, threshold, loser .* t);
    }
    return restrict_to_positive(log_density, decision);
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
  int<lower=1> A; // choices
  array[N] int<lower=1, upper=A> choice;
  real rt_center; // median of rt
  real rt_minimum; // smallest value of rt
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] threshold;
  array[K] vector<lower=0>[A] drift;
  vector<lower=0, upper=rt_minimum>[K] ndt;
  simplex[K] weights;
}
model {
  target += lognormal_lpdf(threshold | log(2 * sqrt(rt_center)), 0.75);
  for (k in 1:K) {
    target += normal_lpdf(drift[k] | 0, 5 / sqrt(rt_center)) - A * normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  }
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = rdm_log_omega(rt, choice, A, threshold[k], drift[k], ndt[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = rdm_log_omega(rt, choice, A, threshold[k], drift[k], ndt[k]);
    }
  }
}
