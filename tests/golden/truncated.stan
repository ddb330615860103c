// count | cens(how) + trunc(lb=1) ~ mix(poisson, K=2)
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
  vector poisson_log_omega(array[] int y, real rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // 1 where x is positive, 0 elsewhere, without a branch.
  vector is_positive(vector x) {
    return ceil(0.5 * x ./ (1 + abs(x)));
  }

  // log(p) where side is at most 0, else log(1 - p) of the tail on the other side.
  vector log_of_nearer_tail(vector side, vector log_tail, vector log_other_tail) {
    vector[num_elements(side)] other = is_positive(side);
    return (1 - other) .* log_tail + other .* log1m_exp(fmin(log_other_tail, -1e-15));
  }

  // About where a function falls to 1/e that falls as exp(-slope * w - curvature * w^2 / 2).
  vector fall_length(vector slope, vector curvature) {
    return 2 ./ (slope + sqrt(square(slope) + 2 * curvature));
  }

  // Nodes and weights of the double exponential rule for what falls off exponentially from 0 to
  // infinity (Takahasi and Mori 1974). With scales fitted as below its error is below 1e-11; it is 1e-9
  // where a shape is 0.001, and grows from there.
  matrix exponential_rule() {
    vector[49] v = linspaced_vector(49, -3.3, 3.9);
    vector[49] node = exp(v - exp(-v));
    return append_col(node, 0.15 * node .* (1 + exp(-v)));
  }

  // Distances of every row, its length times each node: all rows for the first node, and so on.
  vector along_nodes(vector length) {
    return to_vector(length * exponential_rule()[, 1]');
  }

  // A value of every row at each node: all rows for the first node, then for the second, and so on.
  vector at_nodes(vector value) {
    return to_vector(rep_matrix(value, 49));
  }

  // Integrals of every row, from an integrand at the nodes, without the length of the row.
  vector sum_over_nodes(vector integrand) {
    return to_matrix(integrand, num_elements(integrand) %/% 49, 49) * exponential_rule()[, 2];
  }

  // Log probability that a gamma variable with a shape and rate 1 is above x, from the shape on.
  vector log_gamma_right(vector x, vector shape) {
    int N = num_elements(x);
    vector[N] length = fall_length(fmin(1 - (shape - 1) ./ x, 1), fmax(shape - 1, 0) ./ square(x));
    vector[49 * N] w = along_nodes(length); // variable - x
    vector[49 * N] ratio = exp(at_nodes(shape - 1) .* log1p(w ./ at_nodes(x)) - w);
    return (shape - 1) .* log(x) - x - lgamma(shape) + log(length) + log(sum_over_nodes(ratio));
  }

  // Log probability that a gamma variable with a shape and rate 1 is below x, for x up to the shape.
  vector log_gamma_left(vector x, vector shape) {
    int N = num_elements(x);
    vector[N] length = fmax(fall_length(shape - x, x), inv(shape));
    vector[49 * N] w = along_nodes(length); // log(x / variable)
    vector[49 * N] ratio = exp(-at_nodes(shape) .* w - at_nodes(x) .* expm1(-w));
    return shape .* log(x) - x - lgamma(shape) + log(length) + log(sum_over_nodes(ratio));
  }

  // Log probability that a gamma variable with a shape and rate 1 is above x.
  vector log_gamma_above(vector x, vector shape) {
    return log_of_nearer_tail(shape - x, log_gamma_right(fmax(x, shape), shape),
                              log_gamma_left(fmin(x, shape), shape));
  }

  // Log distribution function at each row.
  vector poisson_log_cumulative(array[] int y, real rate) {
    vector[size(y)] rates = rate + zeros_vector(size(y));
    return restrict_to_nonnegative(log_gamma_above(rates, fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // The log probability of being above x where that is not negative, 0 elsewhere, where it is certain.
  vector certain_unless_nonnegative(vector log_probability, vector x) {
    vector[num_elements(x)] probable = log_probability;
    if (min(x) < 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] < 0) {
          probable[n] = 0;
        }
      }
    }
    return probable;
  }

  // Log probability that a gamma variable with a shape and rate 1 is below x.
  vector log_gamma_below(vector x, vector shape) {
    return log_of_nearer_tail(x - shape, log_gamma_left(fmin(x, shape), shape),
                              log_gamma_right(fmax(x, shape), shape));
  }

  // Log probability of more, at each row.
  vector poisson_log_survival(array[] int y, real rate) {
    vector[size(y)] rates = rate + zeros_vector(size(y));
    return certain_unless_nonnegative(
      log_gamma_below(rates, fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // Log density of rows of which each is seen with a probability: minus infinity where that is 0.
  vector given_seen(vector log_density, vector log_seen) {
    vector[num_elements(log_density)] conditional = log_density - fmax(log_seen, -1e300);
    if (min(log_seen) < -1e299) {
      for (n in 1:num_elements(log_density)) {
        if (log_seen[n] < -1e299) {
          conditional[n] = negative_infinity();
        }
      }
    }
    return conditional;
  }

  // Log density of rows that are all seen with the same probability: minus infinity where that is 0.
  vector given_seen(vector log_density, real log_seen) {
    return log_density - (log_seen < -1e299 ? positive_infinity() : log_seen);
  }

  // Log densities of N rows, of which only some have a value; the others say nothing.
  vector at_rows(vector log_density, array[] int rows, int N) {
    vector[N] all_rows = zeros_vector(N);
    all_rows[rows] = log_density;
    return all_rows;
  }

  // Minus infinity where -1e300 stands for that, since it has no gradient.
  vector infinite_again(vector log_probability) {
    vector[num_elements(log_probability)] infinite = log_probability;
    if (min(log_probability) < -1e299) {
      for (n in 1:num_elements(log_probability)) {
        if (log_probability[n] < -1e299) {
          infinite[n] = negative_infinity();
        }
      }
    }
    return infinite;
  }

  // Log probability of lying between two values, from the log probabilities of lying below and above
  // each: in the upper half from those above, where those below would cancel.
  vector log_between(vector below_lower, vector below_upper, vector above_lower,
                     vector above_upper) {
    int N = num_elements(below_lower);
    vector[N] under = fmax(below_lower, -1e300);
    vector[N] over = fmax(above_upper, -1e300);
    vector[N] is_high = is_positive(under - over);
    vector[N] whole = is_high .* fmax(above_lower, -1e300) + (1 - is_high) .* fmax(below_upper, -1e300);
    vector[N] rest = is_high .* over + (1 - is_high) .* under;
    return infinite_again(whole + log1m_exp(fmin(rest - whole, -1e-16)));
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
  array[N] int<lower=0> y; // count
  int<lower=0> N_exact_y; // rows where y is what it is
  array[N_exact_y] int<lower=1, upper=N> exact_y;
  int<lower=0> N_left_y; // rows where it is at most y
  array[N_left_y] int<lower=1, upper=N> left_y;
  int<lower=0> N_right_y; // rows where it is above y
  array[N_right_y] int<lower=1, upper=N> right_y;
  int below_y; // y is only seen above this
  real y_mean; // mean of count
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] rate;
  simplex[K] weights;
}
model {
  target += exponential_lpdf(rate | 1 / y_mean);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = given_seen(
                     at_rows(poisson_log_omega(y[exact_y], rate[k]), exact_y, N)
                     + at_rows(log_between(
                       poisson_log_cumulative(rep_array(below_y, N_left_y), rate[k]),
                       poisson_log_cumulative(y[left_y], rate[k]),
                       poisson_log_survival(rep_array(below_y, N_left_y), rate[k]),
                       poisson_log_survival(y[left_y], rate[k])), left_y, N)
                     + at_rows(poisson_log_survival(y[right_y], rate[k]), right_y, N),
                     poisson_log_survival({below_y}, rate[k])[1]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = given_seen(
                       at_rows(poisson_log_omega(y[exact_y], rate[k]), exact_y, N)
                       + at_rows(log_between(
                         poisson_log_cumulative(rep_array(below_y, N_left_y), rate[k]),
                         poisson_log_cumulative(y[left_y], rate[k]),
                         poisson_log_survival(rep_array(below_y, N_left_y), rate[k]),
                         poisson_log_survival(y[left_y], rate[k])), left_y, N)
                       + at_rows(poisson_log_survival(y[right_y], rate[k]), right_y, N),
                       poisson_log_survival({below_y}, rate[k])[1]);
    }
  }
}
