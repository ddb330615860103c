// Linear ballistic accumulator (Brown and Heathcote, 2008): accumulators 1 to A start at places
// uniform between 0 and `start`, and rise in straight lines, at rates that are normal with means
// drift[a] and standard deviation 1, truncated to be positive, to start + threshold: threshold is
// how far the highest start has to go. The first to arrive makes the choice; the response time rt
// is its time plus the non-decision time ndt.

// Log of the integral of a weight times the standard normal density, from center - half to
// center + half; the weight is linear, at_low and at_high at the ends, and positive between them.
// The half line that holds the center is turned upwards. What then is below 0 has a closed form.
// What is above, from its lowest place on, is integrated by a Gauss-Legendre rule of 16 points, as
// far as the density is more than exp(-28) of what it is there: a sum of positive terms, to some
// 11 digits wherever the interval lies, where differences of tails would lose them.
vector log_normal_integral(vector center, vector half, vector at_low, vector at_high) {
  array[16] real place = {
    0.005299532504175031, 0.0277124884633837, 0.06718439880608412, 0.1222977958224985,
    0.1910618777986781, 0.2709916111713863, 0.3591982246103705, 0.4524937450811813,
    0.5475062549188188, 0.6408017753896295, 0.7290083888286136, 0.8089381222013219,
    0.8777022041775016, 0.9328156011939159, 0.9722875115366163, 0.994700467495825
  };
  array[16] real weight = {
    0.01357622970587709, 0.03112676196932373, 0.0475792558412463, 0.06231448562776704,
    0.07479799440828835, 0.08457825969750132, 0.09130170752246182, 0.09472530522753432,
    0.09472530522753432, 0.09130170752246182, 0.08457825969750132, 0.07479799440828835,
    0.06231448562776704, 0.0475792558412463, 0.03112676196932373, 0.01357622970587709
  };
  int N = num_elements(center);
  vector[N] is_above = is_positive(center);
  vector[N] at_near = is_above .* at_low + (1 - is_above) .* at_high;
  vector[N] at_far = is_above .* at_high + (1 - is_above) .* at_low;
  vector[N] near = (2 * is_above - 1) .* center - half;
  vector[N] lowest = 0.5 * (abs(near) + near);
  vector[N] before = lowest - near;
  vector[N] after = fmin(2 * half - before, 56 ./ (sqrt(square(lowest) + 56) + lowest));
  vector[N] slope = (at_far - at_near) ./ (2 * half);
  vector[N] at_lowest = at_near + slope .* before;
  vector[N] below = at_lowest .* erf(before / sqrt(2)) * sqrt(0.5 * pi())
                    + slope .* expm1(-0.5 * square(before));
  vector[N] rise = slope .* after;
  vector[N] fall = lowest .* after;
  vector[N] bend = 0.5 * square(after);
  vector[N] above = zeros_vector(N);
  for (i in 1:16) {
    above += weight[i] * (at_lowest + place[i] * rise)
             .* exp(-place[i] * (fall + place[i] * bend));
  }
  return log(below + after .* above) - 0.5 * square(lowest) - 0.5 * log(2 * pi());
}

// Log probability that a rate is positive before it is truncated.
vector lba_log_positive(vector drift) {
  return log_erfc(-drift / sqrt(2)) - log2();
}

// Log density of arriving at the times t, all positive, for the drift of the winner of each row:
// the integral of rate / start times the density of rates, over those that arrive then.
vector lba_log_density(vector t, real threshold, real start, vector drift) {
  vector[num_elements(t)] lowest = threshold ./ t;
  vector[num_elements(t)] half = 0.5 * start ./ t;
  vector[num_elements(t)] center = lowest + half - drift;
  vector[num_elements(t)] at_low = lowest ./ start;
  vector[num_elements(t)] at_high = (lowest + 2 * half) ./ start;
  return log_normal_integral(center, half, at_low, at_high) - lba_log_positive(drift);
}

// Log probability of arriving after the times t, all positive, for the drift of one loser of each
// row: of a rate too low for any start, or of one that is too low for some.
vector lba_log_survival(vector t, real threshold, real start, vector drift) {
  vector[num_elements(t)] lowest = threshold ./ t;
  vector[num_elements(t)] half = 0.5 * start ./ t;
  vector[num_elements(t)] center = lowest + half - drift;
  vector[num_elements(t)] half_lowest = 0.5 * lowest;
  vector[num_elements(t)] below = half_lowest - drift;
  vector[num_elements(t)] one = rep_vector(1, num_elements(t));
  return log_sum_exp(log_normal_integral(below, half_lowest, one, one),
                     log_normal_integral(center, half, one, 0 * one))
         - lba_log_positive(drift);
}

// Log density of each row; minus infinity unless rt is above ndt. It is the density of the winner
// and the survivals of A - 1 losers: those that come 1, 2, .. after the winner in a circle.
vector lba_log_omega(vector rt, array[] int choice, int A, real threshold, real start, vector drift,
                     real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] winner = of_accumulator(drift, choice, 0);
  vector[num_elements(rt)] log_density = lba_log_density(t, threshold, start, winner);
  for (after in 1:(A - 1)) {
    vector[num_elements(rt)] loser = of_accumulator(drift, choice, after);
    log_density += lba_log_survival(t, threshold, start, loser);
  }
  return restrict_to_positive(log_density, decision);
}

// One response time and one choice for each of N rows: columns rt and choice. Rates are drawn by
// the inverse of their distribution function.
matrix lba_emission_rng(int N, int A, real threshold, real start, vector drift, real ndt) {
  matrix[N, A] rt;
  for (a in 1:A) {
    vector[N] log_u = log(to_vector(uniform_rng(zeros_vector(N), 1)));
    vector[N] rate = drift[a] - std_normal_log_qf(log_u + std_normal_lcdf(drift[a] | ));
    rt[, a] = ndt + (threshold + start * to_vector(uniform_rng(zeros_vector(N), 1))) ./ rate;
  }
  return first_to_finish(rt);
}
