// Racing diffusion model: accumulators 1 to A race to one threshold, each with its own drift. The
// first to pass makes the choice; the response time rt is its time plus the non-decision time ndt.

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

// One response time and one choice for each of N rows: columns rt and choice.
matrix rdm_emission_rng(int N, int A, real threshold, vector drift, real ndt) {
  matrix[N, A] rt;
  for (a in 1:A) {
    rt[, a] = ndt + wald_passage_rng(N, threshold, drift[a]);
  }
  return first_to_finish(rt);
}
