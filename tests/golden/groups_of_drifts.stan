// rt | dec(choice) ~ mix(rdm, K=2)
// drift ~ (1 | subject)
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

  // For each row the value, of its own column, of the accumulator that comes `after` the chosen one in
  // a circle.
  vector of_accumulator(matrix values, array[] int choice, int after) {
    int A = rows(values);
    vector[size(choice)] picked = zeros_vector(size(choice));
    for (a in 1:A) {
      array[size(choice)] int is_a;
      for (n in 1:size(choice)) {
        is_a[n] = (choice[n] + after - 1) % A + 1 == a;
      }
      picked += to_vector(is_a) .* values[a]';
    }
    return picked;
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
  vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, matrix drift, real ndt) {
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

  // What the effects of groups, a row each, add to a predictor in every place.
  vector by_group(matrix Z, array[] int group, matrix effects) {
    vector[rows(Z)] total = zeros_vector(rows(Z));
    for (q in 1:cols(Z)) {
      total += Z[, q] .* effects[group, q];
    }
    return total;
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
  int<lower=1> G_subject; // groups of subject
  int<lower=1> Q_subject_drift; // terms of drift by subject: Intercept
  matrix[N, Q_subject_drift] Z_subject_drift;
  array[N] int<lower=1, upper=G_subject> group_subject_drift;
  vector[Q_subject_drift] sd_subject_drift_scale; // 1 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] threshold;
  array[K] vector<lower=0>[A] drift;
  array[K, A] vector<lower=0>[Q_subject_drift] sd_subject_drift;
  vector<lower=0>[K] ndt;
  simplex[K] weights;
  array[K, A] matrix[Q_subject_drift, G_subject] z_subject_drift; // effects of groups, standard normal
}
transformed parameters {
  array[K, A] matrix[G_subject, Q_subject_drift] r_subject_drift;
  for (k in 1:K) {
    for (d in 1:A) {
      r_subject_drift[k, d] = diag_pre_multiply(sd_subject_drift[k, d], z_subject_drift[k, d])';
    }
  }
}
model {
  target += lognormal_lpdf(threshold | log(2 * sqrt(rt_center)), 0.75);
  for (k in 1:K) {
    target += normal_lpdf(drift[k] | 0, 5 / sqrt(rt_center)) - A * normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  }
  for (k in 1:K) {
    for (d in 1:A) {
      target += student_t_lpdf(sd_subject_drift[k, d] | rep_vector(3, Q_subject_drift), rep_vector(0, Q_subject_drift), sd_subject_drift_scale) - student_t_lccdf(rep_vector(0, Q_subject_drift) | 3, 0, sd_subject_drift_scale);
    }
  }
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:K) {
    for (d in 1:A) {
      target += std_normal_lpdf(to_vector(z_subject_drift[k, d]));
    }
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    matrix[A, N] drift_by_row;
    for (d in 1:A) {
      drift_by_row[d] = (drift[k][d] * exp(by_group(Z_subject_drift, group_subject_drift, r_subject_drift[k][d])))';
    }
    log_omega[k] = rdm_log_omega(rt, choice, A, threshold[k], drift_by_row, ndt[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      matrix[A, N] drift_by_row;
      for (d in 1:A) {
        drift_by_row[d] = (drift[k][d] * exp(by_group(Z_subject_drift, group_subject_drift, r_subject_drift[k][d])))';
      }
      log_omega[k] = rdm_log_omega(rt, choice, A, threshold[k], drift_by_row, ndt[k]);
    }
  }
}
