// cbind(hit, subject, grade) ~ mix(bernoulli & categorical & categorical, K=2)
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

  // Log mass of each row; minus infinity unless y is 0 or 1.
  vector bernoulli_log_omega(array[] int y, real prob) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(prob) + (1 - to_vector(y)) .* log1m(prob),
      fmin(to_vector(y), 1 - to_vector(y)));
  }

  // Log mass of each row.
  vector categorical_log_omega(array[] int y, int C, vector prob) {
    return log(prob)[y];
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
  array[N] int<lower=0, upper=1> y_hit; // hit
  int<lower=2> C_y_subject; // categories: a, b
  array[N] int<lower=1, upper=C_y_subject> y_subject; // subject
  int<lower=0> N_y_subject; // rows that have y_subject
  array[N_y_subject] int<lower=1, upper=N> rows_y_subject;
  int<lower=2> C_y_grade; // categories: 3, 7, 9
  array[N] int<lower=1, upper=C_y_grade> y_grade; // grade
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] prob_hit_logit;
  array[K] simplex[C_y_subject] prob_subject;
  array[K] simplex[C_y_grade] prob_grade;
  simplex[K] weights;
}
transformed parameters {
  vector[K] prob_hit = ordered_between(prob_hit_logit, 0, 1);
}
model {
  target += beta_lpdf(prob_hit | 1, 1);
  target += ordered_between_log_derivative(prob_hit_logit, 0, 1);
  for (k in 1:K) {
    target += dirichlet_lpdf(prob_subject[k] | rep_vector(1, C_y_subject));
  }
  for (k in {1}) {
    target += dirichlet_lpdf(prob_grade[k] | rep_vector(1, C_y_grade));
  }
  target += dirichlet_lpdf(prob_grade[2] | [3, 2, 1]');
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = bernoulli_log_omega(y_hit, prob_hit[k])
                   + at_rows(categorical_log_omega(y_subject[rows_y_subject], C_y_subject, prob_subject[k]), rows_y_subject, N)
                   + categorical_log_omega(y_grade, C_y_grade, prob_grade[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = bernoulli_log_omega(y_hit, prob_hit[k])
                     + at_rows(categorical_log_omega(y_subject[rows_y_subject], C_y_subject, prob_subject[k]), rows_y_subject, N)
                     + categorical_log_omega(y_grade, C_y_grade, prob_grade[k]);
    }
  }
}
