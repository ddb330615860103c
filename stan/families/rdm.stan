// Racing diffusion model: accumulators 1 to A race to one threshold, each with its own drift. The
// first to pass makes the choice; the response time rt is its time plus the non-decision time ndt.

// How many values of x are below a bound.
int count_below(array[] int x, int bound) {
  int count = 0;
  for (n in 1:size(x)) {
    count += x[n] < bound;
  }
  return count;
}

// Log density that one accumulator passes first, at the times t, all positive.
vector rdm_log_density(vector t, int winner, real threshold, vector drift) {
  vector[num_elements(t)] log_density = wald_log_density(t, threshold, drift[winner]);
  for (loser in 1:num_elements(drift)) {
    if (loser != winner) {
      log_density += wald_log_survival(t, threshold, drift[loser]);
    }
  }
  return log_density;
}

// Log density of each row; minus infinity unless rt is above ndt and choice one of 1 to A.
// Rows are taken by their choice, so that each needs one density and A - 1 survivals.
vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] log_omega = rep_vector(negative_infinity(), num_elements(rt));
  array[size(choice)] int by_choice = sort_indices_asc(choice);
  for (winner in 1:A) {
    int first = count_below(choice, winner) + 1;
    int last = count_below(choice, winner + 1);
    log_omega[by_choice[first:last]]
      = rdm_log_density(t[by_choice[first:last]], winner, threshold, drift);
  }
  return restrict_to_positive(log_omega, decision);
}

// One response time and one choice for each of N rows: columns rt and choice.
matrix rdm_emission_rng(int N, int A, real threshold, vector drift, real ndt) {
  vector[N] first = wald_passage_rng(N, threshold, drift[1]);
  vector[N] choice = rep_vector(1, N);
  for (a in 2:A) {
    vector[N] t = wald_passage_rng(N, threshold, drift[a]);
    choice += is_positive(first - t) .* (a - choice);
    first = fmin(first, t);
  }
  return append_col(ndt + first, choice);
}
