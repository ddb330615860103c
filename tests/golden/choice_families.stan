// rt | dec(choice) ~ mix(lognormal_race + wiener + lba)
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

  // For each row the value of the accumulator that comes `after` the chosen one in a circle.
  vector of_accumulator(vector values, array[] int choice, int after) {
    return segment(append_row(values, values), 1 + after, num_elements(values))[choice];
  }

  // Log density of finishing at exp(log_t), for the mu of the winner of each row.
  vector lognormal_race_log_density(vector log_t, vector mu, real sigma) {
    return -0.5 * square((log_t - mu) ./ sigma) - log(sigma) - 0.5 * log(2 * pi()) - log_t;
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

  // log(erfc(x)). Beyond 26, where erfc nears underflow, its ratio to erfc(26) is put in as a factor.
  vector log_erfc(vector x) {
    vector[num_elements(x)] beyond = excess_over_26(x);
    return log(erfc(x - beyond)) - beyond .* (beyond + 52)
           - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
  }

  // Log probability of finishing after exp(log_t), for the mu of one loser of each row.
  vector lognormal_race_log_survival(vector log_t, vector mu, real sigma) {
    vector[num_elements(log_t)] z = (log_t - mu) ./ sigma;
    return log_erfc(z / sqrt(2)) - log2();
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

  // 1 where x is positive, 0 elsewhere, without a branch.
  vector is_positive(vector x) {
    return ceil(0.5 * x ./ (1 + abs(x)));
  }

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

  // The sum of log densities, minus infinity where -1e300 stands for that in one.
  real sum_log_density(vector log_density) {
    real total = sum(log_density);
    return total < -1e299 ? negative_infinity() : total;
  }

  // Log density of each observation under a mixture, the components summed out:
  // log(sum over k of weights[k] * exp(log_omega[k, n])).
  // log_sum_exp of two minus infinities has no gradient, so -1e300 stands in for the first.
  vector mixture_log_density(array[] vector log_omega, vector weights) {
    vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
    if (min(total) < -1e300) {
      total = fmax(total, -1e300);
    }
    for (k in 2:size(log_omega)) {
      total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
    }
    return total;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] rt;
  int<lower=1> A; // choices
  array[N] int<lower=1, upper=A> choice;
  real rt_log_center; // median of the logarithm of rt
  real rt_log_scale; // standard deviation of the logarithm of rt
  real rt_center; // median of rt
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[A] mu_1;
  real<lower=0> sigma_1;
  vector<lower=0>[K] ndt;
  real<lower=0> threshold_2;
  real<lower=0> threshold_3;
  real drift_2;
  vector[A] drift_3;
  real<lower=0, upper=1> bias_2;
  real<lower=0> start_3;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu_1 | rt_log_center, 1.5);
  target += inv_gamma_lpdf(sigma_1 | 3, 2 * rt_log_scale);
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += lognormal_lpdf(threshold_2 | log(2 * sqrt(rt_center)), 0.75);
  target += lognormal_lpdf(threshold_3 | rt_log_center, 0.75);
  target += normal_lpdf(drift_2 | 0, 5 / sqrt(rt_center));
  target += normal_lpdf(drift_3 | 2, 2);
  target += beta_lpdf(bias_2 | 2, 2);
  target += lognormal_lpdf(start_3 | rt_log_center, 0.75);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1, sigma_1, ndt[1]);
  log_omega[2] = wiener_log_omega(rt, choice, A, threshold_2, drift_2, bias_2, ndt[2]);
  log_omega[3] = lba_log_omega(rt, choice, A, threshold_3, start_3, drift_3, ndt[3]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1, sigma_1, ndt[1]);
    log_omega[2] = wiener_log_omega(rt, choice, A, threshold_2, drift_2, bias_2, ndt[2]);
    log_omega[3] = lba_log_omega(rt, choice, A, threshold_3, start_3, drift_3, ndt[3]);
  }
}
