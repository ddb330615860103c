// Racing diffusion model: A accumulators race to one threshold, each with its own drift; the first
// to pass makes the choice, and the response time rt is its time plus the non-decision time ndt.

// Positions at which x has a value.
array[] int which_equal(array[] int x, int value) {
  int count = 0;
  for (n in 1:size(x)) {
    count += x[n] == value;
  }
  array[count] int positions;
  int next = 1;
  for (n in 1:size(x)) {
    if (x[n] == value) {
      positions[next] = n;
      next += 1;
    }
  }
  return positions;
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
vector rdm_log_omega(vector rt, array[] int choice, int A, real threshold, vector drift, real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] log_omega = rep_vector(negative_infinity(), num_elements(rt));
  for (winner in 1:A) {
    log_omega[which_equal(choice, winner)]
      = rdm_log_density(t[which_equal(choice, winner)], winner, threshold, drift);
  }
  return restrict_to_positive(log_omega, decision);
}

// One response time and one choice for each of N rows: columns rt and choice.
matrix rdm_emission_rng(int N, int A, real threshold, vector drift, real ndt) {
  matrix[N, 2] emission;
  for (n in 1:N) {
    vector[A] t;
    for (a in 1:A) {
      t[a] = wald_passage_rng(threshold, drift[a]);
    }
    emission[n] = [ndt + min(t), sort_indices_asc(t)[1]];
  }
  return emission;
}
