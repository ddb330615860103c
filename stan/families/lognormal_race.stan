// Lognormal race model (Rouder et al., 2015): accumulators 1 to A race, and the logarithm of the
// finishing time of accumulator a is normal with mean mu[a] and standard deviation sigma, so that
// a larger mu is slower. The first to finish makes the choice; the response time rt is its time
// plus the non-decision time ndt.

// Log density of finishing at exp(log_t), for the mu of the winner of each row.
vector lognormal_race_log_density(vector log_t, vector mu, real sigma) {
  return -0.5 * square((log_t - mu) ./ sigma) - log(sigma) - 0.5 * log(2 * pi()) - log_t;
}

// Log probability of finishing after exp(log_t), for the mu of one loser of each row.
vector lognormal_race_log_survival(vector log_t, vector mu, real sigma) {
  vector[num_elements(log_t)] z = (log_t - mu) ./ sigma;
  return log_erfc(z / sqrt(2)) - log2();
}

// Log density of each row; minus infinity unless rt is above ndt. It is the density of the winner
// and the survivals of A - 1 losers: those that come 1, 2, .. after the winner in a circle.
vector lognormal_race_log_omega(vector rt, array[] int choice, int A, vector mu, real sigma,
                                real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] log_t = log(t);
  vector[num_elements(rt)] winner = of_accumulator(mu, choice, 0);
  vector[num_elements(rt)] log_density = lognormal_race_log_density(log_t, winner, sigma);
  for (after in 1:(A - 1)) {
    vector[num_elements(rt)] loser = of_accumulator(mu, choice, after);
    log_density += lognormal_race_log_survival(log_t, loser, sigma);
  }
  return restrict_to_positive(log_density, decision);
}

// One response time and one choice for each of N rows: columns rt and choice.
matrix lognormal_race_emission_rng(int N, int A, vector mu, real sigma, real ndt) {
  matrix[N, A] rt;
  for (a in 1:A) {
    rt[, a] = ndt + lognormal_emission_rng(N, mu[a], sigma);
  }
  return first_to_finish(rt);
}
