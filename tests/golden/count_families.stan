// cbind(count, successes) | trials(10) ~ mix(negbinomial & beta_binomial + geometric & binomial)
functions {
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
  vector negbinomial_log_omega(array[] int y, real mu, real shape) {
    vector[size(y)] count = fmax(to_vector(y), 0);
    return restrict_to_nonnegative(
      -lbeta(count + 1, shape) - log(count + shape)
      - shape .* log1p(mu ./ shape) + count .* (log(mu) - log(mu + shape)), to_vector(y));
  }

  // Log of the number of ways to choose y of the trials; finite also where that is impossible.
  vector log_ways(array[] int y, array[] int trials) {
    return lchoose(fmax(to_vector(trials), 0),
                   fmax(fmin(to_vector(y), to_vector(trials)), 0));
  }

  // Log mass of each row; minus infinity unless y is between 0 and trials.
  vector beta_binomial_log_omega(array[] int y, array[] int trials, real prob, real phi) {
    vector[size(y)] successes = fmax(fmin(to_vector(y), to_vector(trials)), 0);
    vector[size(y)] failures = fmax(to_vector(trials), 0) - successes;
    return restrict_to_nonnegative(
      log_ways(y, trials)
      + lbeta(successes + prob .* phi, failures + (1 - prob) .* phi)
      - lbeta(prob .* phi, (1 - prob) .* phi),
      fmin(to_vector(y), to_vector(trials) - to_vector(y)));
  }

  // Log mass of each row; minus infinity where y is negative.
  vector geometric_log_omega(array[] int y, real prob) {
    return restrict_to_nonnegative(log(prob) + to_vector(y) .* log1m(prob), to_vector(y));
  }

  // Log mass of each row; minus infinity unless y is between 0 and trials.
  vector binomial_log_omega(array[] int y, array[] int trials, real prob) {
    return restrict_to_nonnegative(
      log_ways(y, trials) + to_vector(y) .* log(prob)
      + (to_vector(trials) - to_vector(y)) .* log1m(prob),
      fmin(to_vector(y), to_vector(trials) - to_vector(y)));
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
  real<lower=0> mu_count_1;
  real<lower=0> shape_count_1;
  vector<lower=0, upper=1>[K] prob_successes;
  real<lower=0> phi_successes_1;
  real<lower=0, upper=1> prob_count_2;
  simplex[K] weights;
}
model {
  target += exponential_lpdf(mu_count_1 | 1 / y_count_mean);
  target += gamma_lpdf(shape_count_1 | 2, 0.1);
  target += beta_lpdf(prob_successes | 1, 1);
  target += gamma_lpdf(phi_successes_1 | 2, 0.1);
  target += beta_lpdf(prob_count_2 | 1, 1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = negbinomial_log_omega(y_count, mu_count_1, shape_count_1)
                 + beta_binomial_log_omega(y_successes, trials, prob_successes[1], phi_successes_1);
  log_omega[2] = geometric_log_omega(y_count, prob_count_2)
                 + binomial_log_omega(y_successes, trials, prob_successes[2]);

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = negbinomial_log_omega(y_count, mu_count_1, shape_count_1)
                   + beta_binomial_log_omega(y_successes, trials, prob_successes[1], phi_successes_1);
    log_omega[2] = geometric_log_omega(y_count, prob_count_2)
                   + binomial_log_omega(y_successes, trials, prob_successes[2]);
  }
}
