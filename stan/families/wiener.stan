// Diffusion model of two choices: a diffusion with unit variance, and a drift towards its upper
// boundary, starts at bias * threshold between a lower boundary at 0 and an upper one at threshold.
// The boundary that it reaches first is the choice, 1 the lower and 2 the upper; the response time
// rt is the time of that plus the non-decision time ndt.

// (m - x) * exp(-(m - x)^2 / (2 * s)) - (m + x) * exp(-(m + x)^2 / (2 * s)) as a multiple of the
// first exponential, without cancellation where x is near 0.
vector wiener_image_pair(real m, vector x, vector s) {
  return -(m + x) .* expm1(-2 * m * x ./ s) - 2 * x;
}

// Sum of (near + 2 * k) * exp(-2 * k * (near + k) / s) over the images k = -2, .., 2 of the start,
// which is as many as matter up to s = 1 / pi. The start is `near` from the boundary that is
// reached and `far` from the other one, which add up to 1. Images are paired about the boundary
// that is closer, where the density vanishes.
vector wiener_images(vector s, vector near, vector far, vector is_near) {
  vector[num_elements(s)] about_far = wiener_image_pair(1, far, s)
    + exp(-(2 + 2 * near) ./ s) .* wiener_image_pair(3, far, s);
  vector[num_elements(s)] about_near = near
    - exp(-2 * far ./ s) .* wiener_image_pair(2, near, s)
    - exp(-(8 - 4 * near) ./ s) .* wiener_image_pair(4, near, s);
  return is_near .* about_near + (1 - is_near) .* about_far;
}

// Sum of k * sin(k * pi * near) * exp(-(k^2 - 1) * pi^2 * s / 2) over k = 1, .., 4, which is as many
// as matter from s = 1 / pi on. The sines are sin(pi * near) times polynomials in its cosine.
vector wiener_modes(vector s, vector near, vector far, vector is_near) {
  vector[num_elements(s)] q = exp(-0.5 * square(pi()) * s);
  vector[num_elements(s)] c = cos(pi() * near);
  return sin(pi() * (is_near .* near + (1 - is_near) .* far))
         .* (1 + 4 * c .* q^3 + (12 * square(c) - 3) .* q^8 + 16 * c .* (2 * square(c) - 1) .* q^15);
}

// Log density of reaching a boundary at the times t, all positive: the upper one where at_upper is
// 1, the lower one where it is 0. Up to t = threshold^2 / pi by the images of the start, beyond by
// the modes of the interval (Navarro and Fuss, 2009). Each series is kept at that time where the
// other one serves, so that it is finite there.
vector wiener_log_density(vector t, vector at_upper, real threshold, real drift, real bias) {
  vector[num_elements(t)] near = at_upper .* (1 - bias) + (1 - at_upper) .* bias;
  vector[num_elements(t)] far = at_upper .* bias + (1 - at_upper) .* (1 - bias);
  vector[num_elements(t)] towards = (2 * at_upper - 1) .* drift;
  vector[num_elements(t)] s = t ./ square(threshold);
  vector[num_elements(t)] is_early = is_positive(1 / pi() - s);
  vector[num_elements(t)] is_near = is_positive(far - near);
  vector[num_elements(t)] early_s = is_early .* s + (1 - is_early) / pi();
  vector[num_elements(t)] late_s = is_early / pi() + (1 - is_early) .* s;
  vector[num_elements(t)] early = log(threshold) - 0.5 * log(2 * pi()) - 1.5 * log(t)
    - 0.5 * square(threshold .* near - towards .* t) ./ t
    + log(wiener_images(early_s, near, far, is_near));
  vector[num_elements(t)] late = log(pi()) - 2 * log(threshold)
    + towards .* (threshold .* near - 0.5 * towards .* t) - 0.5 * square(pi()) * s
    + log(wiener_modes(late_s, near, far, is_near));
  return is_early .* early + (1 - is_early) .* late;
}

// Log density of each row; minus infinity unless rt is above ndt. There are A = 2 choices.
vector wiener_log_omega(vector rt, array[] int choice, int A, real threshold, real drift, real bias,
                        real ndt) {
  vector[num_elements(rt)] decision = rt - ndt;
  vector[num_elements(rt)] t = positive_or_one(decision);
  vector[num_elements(rt)] at_upper = to_vector(choice) - 1;
  return restrict_to_positive(wiener_log_density(t, at_upper, threshold, drift, bias), decision);
}

// The time at which a diffusion leaves an interval about its start, whose ends are `distance` away.
// It proposes a first passage of one end, were there no other, and accepts it with the ratio of the
// densities, which happens half of the time or more often: a hundred proposals are enough.
real wiener_exit_rng(real distance, real drift) {
  vector[1] t;
  for (proposal in 1:100) {
    t = wald_passage_rng(1, distance, abs(drift));
    if (log(uniform_rng(0, 1)) < wiener_log_density(t, [1]', 2 * distance, abs(drift), 0.5)[1]
                                 - wald_log_density(t, distance, abs(drift) * t)[1]) {
      break;
    }
  }
  return t[1];
}

// One response time and one choice for each of N rows: columns rt and choice. The diffusion leaves
// the largest interval about its place until it leaves that at a boundary, the closer one, which a
// drift can delay by doubling the distance from it each time: 2000 intervals are always enough.
matrix wiener_emission_rng(int N, int A, real threshold, real drift, real bias, real ndt) {
  matrix[N, 2] drawn;
  for (n in 1:N) {
    real place = bias * threshold;
    drawn[n, 1] = ndt;
    for (interval in 1:2000) {
      real distance = fmin(place, threshold - place);
      int up = bernoulli_logit_rng(2 * drift * distance);
      drawn[n, 1] += wiener_exit_rng(distance, drift);
      drawn[n, 2] = 1 + up;
      if ((up ? threshold - place : place) <= distance) {
        break;
      }
      place += (2 * up - 1) * distance;
    }
  }
  return drawn;
}
