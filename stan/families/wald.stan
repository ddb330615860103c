// Shifted Wald distribution: the response time rt is the non-decision time ndt plus the time at
// which a diffusion with unit variance and a drift first passes a threshold.

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

// Log density of each row where every choice of 1 to A is as likely, at any time; minus infinity
// unless rt is above ndt.
vector wald_log_omega(vector rt, array[] int choice, int A, real threshold, real drift, real ndt) {
  return wald_shifted_log_density(rt, threshold, drift, ndt) - log(A);
}

// Log distribution function at each row.
vector wald_log_cumulative(vector rt, real threshold, real drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] spread = sqrt(2 * t);
  vector[num_elements(rt)] a = (threshold - drift .* t) ./ spread;
  vector[num_elements(rt)] b = (threshold + drift .* t) ./ spread;
  vector[num_elements(rt)] log_probability
    = log_sum_exp(log_erfc(a), 2 * drift .* threshold + log_erfc(b)) - log2();
  return restrict_to_positive(log_probability, decision);
}

// Log probability of more, at each row.
vector wald_log_survival(vector rt, real threshold, real drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  return certain_unless_positive(wald_log_no_passage(t, threshold, drift .* t), decision);
}

// 1 where x is positive, 0 elsewhere, without a branch.
vector is_positive(vector x) {
  return ceil(0.5 * x ./ (1 + abs(x)));
}

// N times of first passage, by the transformation of Michael, Schucany and Haas (1976): the smaller
// root of their equation, written so that a drift near 0 loses no digits, or else the larger, which
// is smaller / ratio^2.
vector wald_passage_rng(int N, real threshold, real drift) {
  vector[N] r = square(to_vector(normal_rng(zeros_vector(N), 1))) ./ (2 * threshold);
  vector[N] smaller = threshold ./ (drift + r + sqrt(r .* (2 * drift + r)));
  vector[N] ratio = drift .* smaller ./ threshold;
  vector[N] u = to_vector(uniform_rng(zeros_vector(N), 1));
  return smaller ./ (1 + is_positive(u .* (1 + ratio) - 1) .* (square(ratio) - 1));
}

// One response time for each of N rows.
vector wald_emission_rng(int N, real threshold, real drift, real ndt) {
  return ndt + wald_passage_rng(N, threshold, drift);
}

// One response time and one choice among A for each of N rows: columns rt and choice.
matrix wald_emission_rng(int N, int A, real threshold, real drift, real ndt) {
  vector[N] choice = 1 + floor(A * to_vector(uniform_rng(zeros_vector(N), 1)));
  return append_col(ndt + wald_passage_rng(N, threshold, drift), choice);
}
