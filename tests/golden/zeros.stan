// cbind(count, successes) | trials(10) ~ mix(zero_inflated_poisson & zero_inflated_binomial + zero_inflated_negbinomial & binomial + hurdle_poisson & binomial + hurdle_negbinomial & binomial)
functions {
  // Log mass of counts that are 0 with probability zi whatever the distribution says, and else follow
  // it; log_mass is what it says.
  vector inflate_zeros(array[] int y, vector log_mass, real zi) {
    vector[size(y)] log_zi = log(zi) + zeros_vector(size(y));
    vector[size(y)] inflated = log_mass + log1m(zi);
    for (n in 1:size(y)) {
      if (y[n] == 0) {
        inflated[n] = log_sum_exp(log_zi[n], inflated[n]);
      }
    }
    return inflated;
  }

  // The log density where x, made of data, is not negative, minus infinity elsewhere.
  vector restrict_to_nonnegative(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (min(x) < 0) {
      vector[num_elements(x)] value = x;
      for (n in 1:num_elements(x)) {
        if (value[n] < 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // Log mass of each row; minus infinity where y is negative.
  vector poisson_log_omega(array[] int y, real rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // Log mass of each row; minus infinity where y is negative.
  vector zero_inflated_poisson_log_omega(array[] int y, real rate, real zi) {
    return inflate_zeros(y, poisson_log_omega(y, rate), zi);
  }

  // Log of the number of ways to choose y of the trials; finite also where that is impossible.
  vector log_ways(array[] int y, array[] int trials) {
    return lchoose(fmax(to_vector(trials), 0),
                   fmax(fmin(to_vector(y), to_vector(trials)), 0));
  }

  // Log mass of each row; minus infinity unless y is between 0 and trials.
  vector binomial_log_omega(array[] int y, array[] int trials, real prob) {
    return restrict_to_nonnegative(
      log_ways(y, trials) + to_vector(y) .* log(prob)
      + (to_vector(trials) - to_vector(y)) .* log1m(prob),
      fmin(to_vector(y), to_vector(trials) - to_vector(y)));
  }

  // Log mass of each row; minus infinity unless y is between 0 and trials.
  vector zero_inflated_binomial_log_omega(array[] int y, array[] int trials, real prob, real zi) {
    return inflate_zeros(y, binomial_log_omega(y, trials, prob), zi);
  }

  // Log mass of each row; minus infinity where y is negative.
  vector negbinomial_log_omega(array[] int y, real mu, real shape) {
    vector[size(y)] count = fmax(to_vector(y), 0);
    return restrict_to_nonnegative(
      -lbeta(count + 1, shape) - log(count + shape)
      - shape .* log1p(mu ./ shape) + count .* (log(mu) - log(mu + shape)), to_vector(y));
  }

  // Log mass of each row; minus infinity where y is negative.
  vector zero_inflated_negbinomial_log_omega(array[] int y, real mu, real shape, real zi) {
    return inflate_zeros(y, negbinomial_log_omega(y, mu, shape), zi);
  }

  // Log mass of counts that are 0 with probability hu, and else follow a distribution where it is not
  // 0; log_mass is what that says of each row, and log_zero of a 0.
  vector hurdle(array[] int y, vector log_mass, real log_zero, real hu) {
    vector[size(y)] log_hu = log(hu) + zeros_vector(size(y));
    vector[size(y)] over = log_mass + (log1m(hu) - log1m_exp(log_zero));
    for (n in 1:size(y)) {
      if (y[n] == 0) {
        over[n] = log_hu[n];
      }
    }
    return over;
  }

  // Log mass of each row; minus infinity where y is negative.
  vector hurdle_poisson_log_omega(array[] int y, real rate, real hu) {
    return hurdle(y, poisson_log_omega(y, rate), -rate, hu);
  }

  // Log mass of each row; minus infinity where y is negative.
  vector hurdle_negbinomial_log_omega(array[] int y, real mu, real shape, real hu) {
    return hurdle(y, negbinomial_log_omega(y, mu, shape), -shape .* log1p(mu ./ shape), hu);
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
  array[N] int<lower=0> y_count; // count
  array[N] int<lower=0> y_successes; // successes
  array[N] int<lower=0> trials;
  real y_count_mean; // mean of count
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  real<lower=0> rate_count_1;
  real<lower=0> rate_count_3;
  real<lower=0, upper=1> zi_count_1;
  real<lower=0, upper=1> zi_count_2;
  vector<lower=0, upper=1>[K] prob_successes;
  real<lower=0, upper=1> zi_successes_1;
  real<lower=0> mu_count_2;
  real<lower=0> mu_count_4;
  real<lower=0> shape_count_2;
  real<lower=0> shape_count_4;
  real<lower=0, upper=1> hu_count_3;
  real<lower=0, upper=1> hu_count_4;
  simplex[K] weights;
}
model {
  target += exponential_lpdf(rate_count_1 | 1 / y_count_mean);
  target += exponential_lpdf(rate_count_3 | 1 / y_count_mean);
  target += beta_lpdf(zi_count_1 | 1, 1);
  target += beta_lpdf(zi_count_2 | 1, 1);
  target += beta_lpdf(prob_successes | 1, 1);
  target += beta_lpdf(zi_successes_1 | 1, 1);
  target += exponential_lpdf(mu_count_2 | 1 / y_count_mean);
  target += exponential_lpdf(mu_count_4 | 1 / y_count_mean);
  target += gamma_lpdf(shape_count_2 | 2, 0.1);
  target += gamma_lpdf(shape_count_4 | 2, 0.1);
  target += beta_lpdf(hu_count_3 | 1, 1);
  target += beta_lpdf(hu_count_4 | 1, 1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = zero_inflated_poisson_log_omega(y_count, rate_count_1, zi_count_1)
                 + zero_inflated_binomial_log_omega(y_successes, trials, prob_successes[1], zi_successes_1);
  log_omega[2] = zero_inflated_negbinomial_log_omega(y_count, mu_count_2, shape_count_2, zi_count_2)
                 + binomial_log_omega(y_successes, trials, prob_successes[2]);
  log_omega[3] = hurdle_poisson_log_omega(y_count, rate_count_3, hu_count_3)
                 + binomial_log_omega(y_successes, trials, prob_successes[3]);
  log_omega[4] = hurdle_negbinomial_log_omega(y_count, mu_count_4, shape_count_4, hu_count_4)
                 + binomial_log_omega(y_successes, trials, prob_successes[4]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = zero_inflated_poisson_log_omega(y_count, rate_count_1, zi_count_1)
                   + zero_inflated_binomial_log_omega(y_successes, trials, prob_successes[1], zi_successes_1);
    log_omega[2] = zero_inflated_negbinomial_log_omega(y_count, mu_count_2, shape_count_2, zi_count_2)
                   + binomial_log_omega(y_successes, trials, prob_successes[2]);
    log_omega[3] = hurdle_poisson_log_omega(y_count, rate_count_3, hu_count_3)
                   + binomial_log_omega(y_successes, trials, prob_successes[3]);
    log_omega[4] = hurdle_negbinomial_log_omega(y_count, mu_count_4, shape_count_4, hu_count_4)
                   + binomial_log_omega(y_successes, trials, prob_successes[4]);
  }
}
