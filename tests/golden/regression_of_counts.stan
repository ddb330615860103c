// cbind(count, successes) | trials(10) + unit(id) ~ hmm(poisson & binomial, states=2)
// rate ~ x + offset(log(positive))
// prob ~ C(choice):x
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
  vector poisson_log_omega(array[] int y, vector rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // Log of the number of ways to choose y of the trials; finite also where that is impossible.
  vector log_ways(array[] int y, array[] int trials) {
    return lchoose(fmax(to_vector(trials), 0),
                   fmax(fmin(to_vector(y), to_vector(trials)), 0));
  }

  // Log mass of each row; minus infinity unless y is between 0 and trials.
  vector binomial_log_omega(array[] int y, array[] int trials, vector prob) {
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

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
  }

  // Log density of all series under a hidden Markov model, the states summed out by the forward
  // algorithm. State probabilities are normalised at every step, so that long series stay finite.
  // first[t] is 1 where a series begins; its state there has distribution `initial`.
  real hmm_log_density(array[] vector log_omega, vector initial, array[] vector transition,
                       array[] int first) {
    int K = size(log_omega);
    int T = num_elements(log_omega[1]);
    vector[T] highest = log_omega[1];
    for (k in 2:K) {
      highest = fmax(highest, log_omega[k]);
    }
    matrix[K, T] omega;
    matrix[K, K] arrive; // column k: where state k leads
    for (k in 1:K) {
      omega[k] = exp(log_omega[k] - highest)';
      arrive[, k] = transition[k];
    }
    vector[T] increment;
    vector[K] state;
    for (t in 1:T) {
      if (first[t]) {
        state = initial .* omega[, t];
      } else {
        state = (arrive * state) .* omega[, t];
      }
      increment[t] = sum(state);
      state /= increment[t];
    }
    return sum(log(increment)) + sum(highest);
  }

  // Log densities of units, whose rows share a state: sums over the rows of each unit.
  array[] vector sum_units(array[] vector log_omega, array[] int unit_size) {
    array[size(log_omega)] vector[size(unit_size)] total;
    for (k in 1:size(log_omega)) {
      int start = 1;
      for (u in 1:size(unit_size)) {
        total[k][u] = sum(segment(log_omega[k], start, unit_size[u]));
        start += unit_size[u];
      }
    }
    return total;
  }

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  array[N] int<lower=0> y_count; // count
  array[N] int<lower=0> y_successes; // successes
  array[N] int<lower=0> trials;
  real y_count_mean; // mean of count
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  array[U] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=1> P_rate_count; // terms of rate_count: x
  matrix[N, P_rate_count] X_rate_count; // less their means
  vector[P_rate_count] X_rate_count_mean;
  vector[N] offset_rate_count; // less its mean
  real offset_rate_count_mean;
  int<lower=1> P_prob_successes; // terms of prob_successes: C(choice)[1]:x, C(choice)[2]:x
  matrix[N, P_prob_successes] X_prob_successes; // less their means
  vector[P_prob_successes] X_prob_successes_mean;
  vector[P_rate_count] beta_rate_count_scale; // 2.5 on the log scale over the sd of each term
  vector[P_prob_successes] beta_prob_successes_scale; // 2.5 on the logit scale over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector<lower=0>[K] rate_count;
  array[K] vector[P_rate_count] slope_rate_count;
  ordered[K] prob_successes_logit;
  array[K] vector[P_prob_successes] slope_prob_successes;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
transformed parameters {
  vector[K] prob_successes = ordered_between(prob_successes_logit, 0, 1);
}
model {
  target += exponential_lpdf(rate_count | 1 / y_count_mean);
  for (k in 1:K) {
    target += normal_lpdf(slope_rate_count[k] | rep_vector(0, P_rate_count), beta_rate_count_scale);
  }
  target += beta_lpdf(prob_successes | 1, 1);
  target += ordered_between_log_derivative(prob_successes_logit, 0, 1);
  for (k in 1:K) {
    target += normal_lpdf(slope_prob_successes[k] | rep_vector(0, P_prob_successes), beta_prob_successes_scale);
  }
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] rate_count_by_row = rate_count[k] * exp(X_rate_count * slope_rate_count[k] + offset_rate_count);
    vector[N] prob_successes_by_row = inv_logit(logit(prob_successes[k]) + X_prob_successes * slope_prob_successes[k]);
    log_omega[k] = poisson_log_omega(y_count, rate_count_by_row)
                   + binomial_log_omega(y_successes, trials, prob_successes_by_row);
  }

  target += hmm_log_density(sum_units(log_omega, unit_size), initial, transition, first);
}
generated quantities {
  array[K] vector[P_rate_count + 1] beta_rate_count;
  for (k in 1:K) {
    beta_rate_count[k] = from_means(log(rate_count[k]) - offset_rate_count_mean, X_rate_count_mean, slope_rate_count[k]);
  }
  array[K] vector[P_prob_successes + 1] beta_prob_successes;
  for (k in 1:K) {
    beta_prob_successes[k] = from_means(logit(prob_successes[k]), X_prob_successes_mean, slope_prob_successes[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      vector[N] rate_count_by_row = rate_count[k] * exp(X_rate_count * slope_rate_count[k] + offset_rate_count);
      vector[N] prob_successes_by_row = inv_logit(logit(prob_successes[k]) + X_prob_successes * slope_prob_successes[k]);
      log_omega[k] = poisson_log_omega(y_count, rate_count_by_row)
                     + binomial_log_omega(y_successes, trials, prob_successes_by_row);
    }
  }
}
