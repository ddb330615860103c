// cbind(y, successes) | trials(n) ~ mix(normal & binomial, K=2)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
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

  // An increasing vector between two bounds, from its increasing logits.
  vector ordered_between(vector logits, real low, real high) {
    return low + (high - low) * inv_logit(logits);
  }

  // Log absolute derivative of ordered_between.
  real ordered_between_log_derivative(vector logits, real low, real high) {
    return num_elements(logits) * log(high - low)
           + sum(log_inv_logit(logits)) + sum(log1m_inv_logit(logits));
  }

  // Log densities of N rows, of which only some have a value; the others say nothing.
  vector at_rows(vector log_density, array[] int rows, int N) {
    vector[N] all_rows = zeros_vector(N);
    all_rows[rows] = log_density;
    return all_rows;
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
  vector[N] y_y; // y
  int<lower=0> N_y_y; // rows that have y_y
  array[N_y_y] int<lower=1, upper=N> rows_y_y;
  array[N] int<lower=0> y_successes; // successes
  int<lower=0> N_y_successes; // rows that have y_successes
  array[N_y_successes] int<lower=1, upper=N> rows_y_successes;
  array[N] int<lower=0> trials; // n
  real y_y_center; // median of y
  real y_y_scale; // standard deviation of y
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu_y;
  vector<lower=0>[K] sigma_y;
  ordered[K] prob_successes_logit;
  simplex[K] weights;
}
transformed parameters {
  vector[K] prob_successes = ordered_between(prob_successes_logit, 0, 1);
}
model {
  target += normal_lpdf(mu_y | y_y_center, 2.5 * y_y_scale);
  target += inv_gamma_lpdf(sigma_y | 3, y_y_scale);
  target += beta_lpdf(prob_successes | 1, 1);
  target += ordered_between_log_derivative(prob_successes_logit, 0, 1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = at_rows(normal_log_omega(y_y[rows_y_y], mu_y[k], sigma_y[k]), rows_y_y, N)
                   + at_rows(binomial_log_omega(y_successes[rows_y_successes], trials[rows_y_successes], prob_successes[k]), rows_y_successes, N);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = at_rows(normal_log_omega(y_y[rows_y_y], mu_y[k], sigma_y[k]), rows_y_y, N)
                     + at_rows(binomial_log_omega(y_successes[rows_y_successes], trials[rows_y_successes], prob_successes[k]), rows_y_successes, N);
    }
  }
}
