// Racing diffusion model: accumulators 1 to A race to one threshold, each with its own drift. The
// first to pass makes the choice; the response time rt is its time plus the non-decision time ndt.

// Log density of each row; minus infinity unless rt is above ndt. It is the density of the winner
// and the survivals of A - 1 losers: those that come 1, 2, .. after the winner in a circle.
vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[2 * A] circle = append_row(drift, drift);
  vector[num_elements(rt)] log_density = wald_log_density(t, threshold, drift[choice] .* t);
  for (after in 1:(A - 1)) {
    log_density += wald_log_no_passage(t, threshold, segment(circle, 1 + after, A)[choice] .* t);
  }
  return restrict_to_positive(log_density, decision);
}

// For each row the value of the accumulator that comes `after` the chosen one in a circle.
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

// Log density of each row of a race whose drifts vary by row, a column for each; minus infinity
// unless rt is above ndt.
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
