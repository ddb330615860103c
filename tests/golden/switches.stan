// rt | dec(choice) ~ hmm(wald + rdm(order=drift), states=2, share=ndt, order=threshold, initial=uniform)
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

  // Log density of each row where every choice of 1 to A is as likely, at any time; minus infinity
  // unless rt is above ndt.
  vector wald_log_omega(vector rt, array[] int choice, int A, real threshold, real drift, real ndt) {
    return wald_shifted_log_density(rt, threshold, drift, ndt) - log(A);
  }

  // For each row the value of the accumulator that comes `after` the chosen one in a circle.
  vector of_accumulator(vector values, array[] int choice, int after) {
    return segment(append_row(values, values), 1 + after, num_elements(values))[choice];
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] rt;
  int<lower=1> A; // choices
  array[N] int<lower=1, upper=A> choice;
  real rt_minimum; // smallest value of rt
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] threshold;
  real<lower=0> drift_1;
  positive_ordered[A] drift_2;
  real<lower=0, upper=rt_minimum> ndt;
  array[K] simplex[K] transition;
}
model {
  target += normal_lpdf(threshold[1] | 0.5, 0.3) - normal_lccdf(0 | 0.5, 0.3);
  target += normal_lpdf(tail(threshold, K - 1) - head(threshold, K - 1) | 1.5, 0.5) - (K - 1) * normal_lccdf(0 | 1.5, 0.5);
  target += normal_lpdf(drift_1 | 5.5, 1) - normal_lccdf(0 | 5.5, 1);
  target += normal_lpdf(drift_2[1] | 2.5, 0.5) - normal_lccdf(0 | 2.5, 0.5);
  target += normal_lpdf(tail(drift_2, A - 1) - head(drift_2, A - 1) | 2.5, 1) - (A - 1) * normal_lccdf(0 | 2.5, 1);
  target += exponential_lpdf(ndt | 5);
  target += dirichlet_lpdf(transition[1] | [16, 4]');
  target += dirichlet_lpdf(transition[2] | [4, 16]');

  array[K] vector[N] log_omega;
  log_omega[1] = wald_log_omega(rt, choice, A, threshold[1], drift_1, ndt);
  log_omega[2] = rdm_log_omega(rt, choice, A, threshold[2], drift_2, ndt);

  target += hmm_log_density(log_omega, rep_vector(1.0 / K, K), transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = wald_log_omega(rt, choice, A, threshold[1], drift_1, ndt);
    log_omega[2] = rdm_log_omega(rt, choice, A, threshold[2], drift_2, ndt);
  }
}
