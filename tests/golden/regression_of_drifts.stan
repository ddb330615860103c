// rt | dec(choice) ~ hmm(wald + rdm, states=2)
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

  // Log density of each row where every choice of 1 to A is as likely, at any time; minus infinity
  // unless rt is above ndt.
  vector wald_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
    return wald_shifted_log_density(rt, threshold, drift, ndt) - log(A);
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

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
  }

  // Log density of all series under a hidden Markov model, the states summed out by the forward
  // algorithm. State probabilities are normalised at every step, so that long series stay finite.
  // first[t] is 1 where a series begins; its state there has distribution `initial`.
  real hmm_log_density(array[] vector log_omega, vector initial, array[] vector transition,
                       array[] int first) {
    int K = size(log_omega);
    int T = num_elements(log_omega[1]);
    vector[T] highest = log_omega[1];
    for (k in 2:K) {
      highest = fmax(highest, log_omega[k]);
    }
    matrix[K, T] omega;
    matrix[K, K] arrive; // column k: where state k leads
    for (k in 1:K) {
      omega[k] = exp(log_omega[k] - highest)';
      arrive[, k] = transition[k];
    }
    vector[T] increment;
    vector[K] state;
    for (t in 1:T) {
      if (first[t]) {
        state = initial .* omega[, t];
      } else {
        state = (arrive * state) .* omega[, t];
      }
      increment[t] = sum(state);
      state /= increment[t];
    }
    return sum(log(increment)) + sum(highest);
  }

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }

  // Coefficients of each element of a vector on the scale of the covariates, the intercept first.
  array[] vector each_from_means(vector at_means, vector means, array[] vector slopes) {
    array[num_elements(at_means)] vector[num_elements(means) + 1] coefficients;
    for (d in 1:num_elements(at_means)) {
      coefficients[d] = from_means(at_means[d], means, slopes[d]);
    }
    return coefficients;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] rt;
  int<lower=1> A; // choices
  array[N] int<lower=1, upper=A> choice;
  real rt_center; // median of rt
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=1> P_drift_1; // terms of drift_1: x
  matrix[N, P_drift_1] X_drift_1; // less their means
  vector[P_drift_1] X_drift_1_mean;
  int<lower=1> P_drift_2; // terms of drift_2: x
  matrix[N, P_drift_2] X_drift_2; // less their means
  vector[P_drift_2] X_drift_2_mean;
  vector[P_drift_1] beta_drift_1_scale; // 2.5 on the log scale over the sd of each term
  vector[P_drift_2] beta_drift_2_scale; // 2.5 on the log scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector<lower=0>[K] threshold;
  real<lower=0> drift_1;
  vector[P_drift_1] slope_drift_1;
  vector<lower=0>[A] drift_2;
  array[A] vector[P_drift_2] slope_drift_2;
  vector<lower=0>[K] ndt;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  target += lognormal_lpdf(threshold | log(2 * sqrt(rt_center)), 0.75);
  target += normal_lpdf(drift_1 | 0, 5 / sqrt(rt_center)) - normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  target += normal_lpdf(slope_drift_1 | 0, beta_drift_1_scale);
  target += normal_lpdf(drift_2 | 0, 5 / sqrt(rt_center)) - A * normal_lccdf(0 | 0, 5 / sqrt(rt_center));
  for (d in 1:A) {
    target += normal_lpdf(slope_drift_2[d] | rep_vector(0, P_drift_2), beta_drift_2_scale);
  }
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  vector[N] drift_1_by_row = drift_1 * exp(X_drift_1 * slope_drift_1);
  matrix[A, N] drift_2_by_row;
  for (d in 1:A) {
    drift_2_by_row[d] = (drift_2[d] * exp(X_drift_2 * slope_drift_2[d]))';
  }
  log_omega[1] = wald_log_omega(rt, choice, A, threshold[1], drift_1_by_row, ndt[1]);
  log_omega[2] = rdm_log_omega(rt, choice, A, threshold[2], drift_2_by_row, ndt[2]);

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  vector[P_drift_1 + 1] beta_drift_1 = from_means(log(drift_1), X_drift_1_mean, slope_drift_1);
  array[A] vector[P_drift_2 + 1] beta_drift_2 = each_from_means(log(drift_2), X_drift_2_mean, slope_drift_2);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    vector[N] drift_1_by_row = drift_1 * exp(X_drift_1 * slope_drift_1);
    matrix[A, N] drift_2_by_row;
    for (d in 1:A) {
      drift_2_by_row[d] = (drift_2[d] * exp(X_drift_2 * slope_drift_2[d]))';
    }
    log_omega[1] = wald_log_omega(rt, choice, A, threshold[1], drift_1_by_row, ndt[1]);
    log_omega[2] = rdm_log_omega(rt, choice, A, threshold[2], drift_2_by_row, ndt[2]);
  }
}
