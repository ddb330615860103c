// rt | dec(choice) ~ mix(lognormal_race + rdm)
functions {
  // x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
  // for rows that `restrict_to_positive` then takes out.
  vector positive_or_one(vector x) {
    vector[num_elements(x)] positive = x;
    if (min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          positive[n] = 1;
        }
      }
    }
    return positive;
  }

  // Log density of finishing at exp(log_t), for the mu of the winner of each row.
  vector lognormal_race_log_density(vector log_t, vector mu, real sigma) {
    return -0.5 * square((log_t - mu) ./ sigma) - log(sigma) - 0.5 * log(2 * pi()) - log_t;
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

  // Log probability of finishing after exp(log_t), for the mu of one loser of each row.
  vector lognormal_race_log_survival(vector log_t, vector mu, real sigma) {
    vector[num_elements(log_t)] z = (log_t - mu) ./ sigma;
    return log_erfc(z / sqrt(2)) - log2();
  }

  // The log density where x is positive, minus infinity elsewhere.
  vector restrict_to_positive(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (min(x) <= 0) {
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
  vector lognormal_race_log_omega(vector rt, array[] int choice, int A, vector mu, real sigma,
                                  real ndt) {
    vector[num_elements(rt)] log_t = log(positive_or_one(rt - ndt));
    vector[2 * A] circle = append_row(mu, mu);
    vector[num_elements(rt)] log_density = lognormal_race_log_density(log_t, mu[choice], sigma);
    for (after in 1:(A - 1)) {
      log_density += lognormal_race_log_survival(log_t, segment(circle, 1 + after, A)[choice], sigma);
    }
    return restrict_to_positive(log_density, rt - ndt);
  }

  // Log density of first passage at the times t, all positive, where the mean paths of the diffusions
  // have come to drift * t.
  vector wald_log_density(vector t, real threshold, vector path) {
    return (log(threshold) - 0.5 * log(2 * pi())) - 1.5 * log(t)
           - 0.5 * square(threshold - path) ./ t;
  }

  // Log probability of no passage until the times t, all positive, where the mean paths of the
  // diffusions have come to path = drift * t:
  // S = (erfc(a) - exp(2 drift threshold) erfc(b)) / 2, where 2 drift threshold = b^2 - a^2.
  // Up to 26 erfc itself serves (its gradient is exact, that of std_normal_lcdf is not). An argument
  // beyond counts as 26 there, and the ratio of exp(x^2) erfc(x) at x and at 26 is put in as a
  // factor, which is 1 for all others. So there is no branch, no overflow, and exp(-a^2) is taken
  // out where it would underflow.
  vector wald_log_survival(vector t, real threshold, vector path) {
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

  // Log density of each row; minus infinity unless rt is above ndt. It is the density of the winner
  // and the survivals of A - 1 losers: those that come 1, 2, .. after the winner in a circle.
  vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
    vector[num_elements(rt)] decision = rt - ndt;
    vector[num_elements(rt)] t = positive_or_one(decision);
    vector[2 * A] circle = append_row(drift, drift);
    vector[num_elements(rt)] log_density = wald_log_density(t, threshold, drift[choice] .* t);
    for (after in 1:(A - 1)) {
      log_density += wald_log_survival(t, threshold, segment(circle, 1 + after, A)[choice] .* t);
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
  real rt_log_center; // median of the logarithm of rt
  real rt_log_scale; // standard deviation of the logarithm of rt
  real rt_center; // median of rt
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[A] mu_1;
  real<lower=0> sigma_1;
  vector<lower=0>[K] ndt;
  real<lower=0> threshold_2;
  vector<lower=0>[A] drift_2;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu_1 | rt_log_center, 1.5);
  target += inv_gamma_lpdf(sigma_1 | 3, 2 * rt_log_scale);
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += lognormal_lpdf(threshold_2 | log(2 * sqrt(rt_center)), 0.75);
  target += normal_lpdf(drift_2 | 0, 5 / sqrt(rt_center)) - A * normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1, sigma_1, ndt[1]);
  log_omega[2] = rdm_log_omega(rt, choice, A, threshold_2, drift_2, ndt[2]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1, sigma_1, ndt[1]);
    log_omega[2] = rdm_log_omega(rt, choice, A, threshold_2, drift_2, ndt[2]);
  }
}
