// rt | dec(choice) ~ mix(lognormal_race + lba)
// mu ~ x
// drift ~ x
// start ~ y
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

  // For each row the value, of its own column, of the accumulator that comes `after` the chosen one in
  // a circle.
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
  vector lognormal_race_log_omega(vector rt, array[] int choice, int A, matrix mu, real sigma,
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
  vector lba_log_density(vector t, real threshold, vector start, vector drift) {
    vector[num_elements(t)] lowest = threshold ./ t;
    vector[num_elements(t)] half = 0.5 * start ./ t;
    vector[num_elements(t)] center = lowest + half - drift;
    vector[num_elements(t)] at_low = lowest ./ start;
    vector[num_elements(t)] at_high = (lowest + 2 * half) ./ start;
    return log_normal_integral(center, half, at_low, at_high) - lba_log_positive(drift);
  }

  // Log probability of arriving after the times t, all positive, for the drift of one loser of each
  // row: of a rate too low for any start, or of one that is too low for some.
  vector lba_log_survival(vector t, real threshold, vector start, vector drift) {
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
  vector lba_log_omega(vector rt, array[] int choice, int A, real threshold, vector start, matrix drift,
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

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }

  // Coefficients of each element of a vector on the scale of the covariates, the intercept first.
  array[] vector each_from_means(vector at_means, vector means, array[] vector slopes) {
    array[num_elements(at_means)] vector[num_elements(means) + 1] coefficients;
    for (d in 1:num_elements(at_means)) {
      coefficients[d] = from_means(at_means[d], means, slopes[d]);
    }
    return coefficients;
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
  int<lower=1> P_mu_1; // terms of mu_1: x
  matrix[N, P_mu_1] X_mu_1; // less their means
  vector[P_mu_1] X_mu_1_mean;
  int<lower=1> P_start_2; // terms of start_2: y
  matrix[N, P_start_2] X_start_2; // less their means
  vector[P_start_2] X_start_2_mean;
  int<lower=1> P_drift_2; // terms of drift_2: x
  matrix[N, P_drift_2] X_drift_2; // less their means
  vector[P_drift_2] X_drift_2_mean;
  vector[P_mu_1] beta_mu_1_scale; // 2.5 times the prior sd of mu_1 / 2.5 over the sd of each term
  vector[P_start_2] beta_start_2_scale; // 2.5 on the log scale over the sd of each term
  vector[P_drift_2] beta_drift_2_scale; // 2.5 times the prior sd of drift_2 / 2.5 over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[A] mu_1;
  array[A] vector[P_mu_1] slope_mu_1;
  real<lower=0> sigma_1;
  vector<lower=0>[K] ndt;
  real<lower=0> threshold_2;
  real<lower=0> start_2;
  vector[P_start_2] slope_start_2;
  vector[A] drift_2;
  array[A] vector[P_drift_2] slope_drift_2;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu_1 | rt_log_center, 1.5);
  for (d in 1:A) {
    target += normal_lpdf(slope_mu_1[d] | rep_vector(0, P_mu_1), beta_mu_1_scale);
  }
  target += inv_gamma_lpdf(sigma_1 | 3, 2 * rt_log_scale);
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += lognormal_lpdf(threshold_2 | rt_log_center, 0.75);
  target += lognormal_lpdf(start_2 | rt_log_center, 0.75);
  target += normal_lpdf(slope_start_2 | 0, beta_start_2_scale);
  target += normal_lpdf(drift_2 | 2, 2);
  for (d in 1:A) {
    target += normal_lpdf(slope_drift_2[d] | rep_vector(0, P_drift_2), beta_drift_2_scale);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  matrix[A, N] drift_2_by_row;
  for (d in 1:A) {
    drift_2_by_row[d] = (drift_2[d] + X_drift_2 * slope_drift_2[d])';
  }
  matrix[A, N] mu_1_by_row;
  for (d in 1:A) {
    mu_1_by_row[d] = (mu_1[d] + X_mu_1 * slope_mu_1[d])';
  }
  vector[N] start_2_by_row = start_2 * exp(X_start_2 * slope_start_2);
  log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1_by_row, sigma_1, ndt[1]);
  log_omega[2] = lba_log_omega(rt, choice, A, threshold_2, start_2_by_row, drift_2_by_row, ndt[2]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[A] vector[P_mu_1 + 1] beta_mu_1 = each_from_means(mu_1, X_mu_1_mean, slope_mu_1);
  vector[P_start_2 + 1] beta_start_2 = from_means(log(start_2), X_start_2_mean, slope_start_2);
  array[A] vector[P_drift_2 + 1] beta_drift_2 = each_from_means(drift_2, X_drift_2_mean, slope_drift_2);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    matrix[A, N] drift_2_by_row;
    for (d in 1:A) {
      drift_2_by_row[d] = (drift_2[d] + X_drift_2 * slope_drift_2[d])';
    }
    matrix[A, N] mu_1_by_row;
    for (d in 1:A) {
      mu_1_by_row[d] = (mu_1[d] + X_mu_1 * slope_mu_1[d])';
    }
    vector[N] start_2_by_row = start_2 * exp(X_start_2 * slope_start_2);
    log_omega[1] = lognormal_race_log_omega(rt, choice, A, mu_1_by_row, sigma_1, ndt[1]);
    log_omega[2] = lba_log_omega(rt, choice, A, threshold_2, start_2_by_row, drift_2_by_row, ndt[2]);
  }
}
