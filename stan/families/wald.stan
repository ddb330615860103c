// Shifted Wald distribution: the response time rt is the non-decision time ndt plus the time at
// which a diffusion with unit variance and a drift first passes a threshold.

// Log density of first passage at the times t, all positive.
vector wald_log_density(vector t, real threshold, real drift) {
  return (log(threshold) - 0.5 * log(2 * pi())) - 1.5 * log(t)
         - 0.5 * square(threshold - drift .* t) ./ t;
}

// erfc(x) * exp(x^2), by its continued fraction: exact to rounding for x > 26.
real scaled_erfc_far(real x) {
  return inv_sqrt(pi())
         / (x + 0.5 / (x + 1 / (x + 1.5 / (x + 2 / (x + 2.5 / (x + 3 / (x + 3.5 / x)))))));
}

// Log survival of one row in terms of a = (drift t - threshold) / sqrt(2 t) and
// b = (drift t + threshold) / sqrt(2 t), where b > 26 and erfc(b) nears underflow:
// exp(2 drift threshold) = exp(b^2 - a^2) then goes into the scaled function.
real wald_log_survival_far(real a, real b) {
  if (a > 26) {
    return log(0.5 * (scaled_erfc_far(a) - scaled_erfc_far(b))) - square(a);
  }
  return log(0.5 * (erfc(a) - exp(-square(a)) * scaled_erfc_far(b)));
}

// Log probability of no passage until the times t, all positive.
// Plain erfc is exact as long as b <= 26 (then 2 drift threshold = b^2 - a^2 <= 676), and so is its
// gradient, unlike that of std_normal_lcdf. Rows beyond are computed with harmless arguments first
// and then replaced, so that no infinity enters the gradient.
vector wald_log_survival(vector t, real threshold, real drift) {
  int N = num_elements(t);
  vector[N] a = (drift .* t - threshold) ./ sqrt(2 * t);
  vector[N] b = (drift .* t + threshold) ./ sqrt(2 * t);
  vector[N] near_a = a;
  vector[N] near_b = b;
  if (max(b) > 26) {
    for (n in 1:N) {
      if (b[n] > 26) {
        near_a[n] = -26;
        near_b[n] = 26;
      }
    }
  }
  vector[N] log_survival
    = log(0.5 * (erfc(near_a) - exp(fmin(2 * drift .* threshold, 676)) .* erfc(near_b)));
  if (max(b) > 26) {
    for (n in 1:N) {
      if (b[n] > 26) {
        log_survival[n] = wald_log_survival_far(a[n], b[n]);
      }
    }
  }
  return log_survival;
}

// Log density of rt at each row; minus infinity unless rt is above ndt.
vector wald_shifted_log_density(vector rt, real threshold, real drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  return restrict_to_positive(
    wald_log_density(positive_or_one(decision), threshold, drift), decision);
}

// Log density of each row; minus infinity unless rt is above ndt.
vector wald_log_omega(vector rt, real threshold, real drift, real ndt) {
  return wald_shifted_log_density(rt, threshold, drift, ndt);
}

// Log density of each row, every choice of 1 to A being as likely at any time; minus infinity
// unless rt is above ndt and choice one of 1 to A.
vector wald_log_omega(vector rt, array[] int choice, int A, real threshold, real drift, real ndt) {
  return restrict_to_nonnegative(
    wald_shifted_log_density(rt, threshold, drift, ndt) - log(A),
    fmin(to_vector(choice) - 1, A - to_vector(choice)));
}

// Log distribution function of rt at each row.
vector wald_log_cumulative(vector rt, real threshold, real drift, real ndt) {
  int N = num_elements(rt);
  vector[N] decision = rt - ndt;
  vector[N] t = positive_or_one(decision);
  vector[N] a = (drift .* t - threshold) ./ sqrt(t);
  vector[N] b = (drift .* t + threshold) ./ sqrt(t);
  vector[N] reflected = 2 * drift .* threshold + zeros_vector(N);
  vector[N] log_cumulative;
  for (n in 1:N) {
    log_cumulative[n] = log_sum_exp(std_normal_lcdf(a[n] | ),
                                    reflected[n] + std_normal_lcdf(-b[n] | ));
  }
  return restrict_to_positive(log_cumulative, decision);
}

// One time of first passage, by the transformation of Michael, Schucany and Haas (1976), in a
// form that holds for a drift of 0.
real wald_passage_rng(real threshold, real drift) {
  real r = square(std_normal_rng()) / (2 * threshold);
  real t = threshold / (drift + r + sqrt(r * (2 * drift + r)));
  return uniform_rng(0, 1) * (threshold + drift * t) <= threshold
         ? t : square(threshold / drift) / t;
}

// One response time for each of N rows.
vector wald_response_rng(int N, real threshold, real drift, real ndt) {
  vector[N] each_threshold = threshold + zeros_vector(N);
  vector[N] each_drift = drift + zeros_vector(N);
  vector[N] t;
  for (n in 1:N) {
    t[n] = wald_passage_rng(each_threshold[n], each_drift[n]);
  }
  return t + ndt;
}

// One response time for each of N rows.
vector wald_emission_rng(int N, real threshold, real drift, real ndt) {
  return wald_response_rng(N, threshold, drift, ndt);
}

// One response time and one choice among A for each of N rows: columns rt and choice.
matrix wald_emission_rng(int N, int A, real threshold, real drift, real ndt) {
  vector[N] choice;
  for (n in 1:N) {
    choice[n] = categorical_rng(rep_vector(1.0 / A, A));
  }
  return append_col(wald_response_rng(N, threshold, drift, ndt), choice);
}
