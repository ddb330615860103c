// y ~ mix(normal, K=3, cov="diag")
functions {
  // Squared distance of each observation from the location, each column in units of its scale.
  vector diagonal_distance(matrix y, vector mu, vector sigma) {
    vector[cols(y)] distance = zeros_vector(cols(y));
    for (d in 1:rows(y)) {
      distance += square((y[d] - mu[d]) ./ sigma[d])';
    }
    return distance;
  }

  // Sum of the logarithms of the scales.
  real log_volume(vector sigma) {
    return sum(log(sigma));
  }

  // Log density of each observation: independent columns.
  vector multi_normal_log_omega(matrix y, vector mu, vector sigma) {
    return -0.5 * diagonal_distance(y, mu, sigma)
           - (log_volume(sigma) + 0.5 * rows(y) * log(2 * pi()));
  }

  // Vectors, one a component: element `place` from `increasing`, the others from `rest`.
  array[] vector insert_ordered(vector increasing, array[] vector rest, int place) {
    int K = num_elements(increasing);
    int D = num_elements(rest[1]) + 1;
    array[K] vector[D] whole;
    for (k in 1:K) {
      whole[k] = append_row(append_row(head(rest[k], place - 1), increasing[k]),
                            tail(rest[k], D - place));
    }
    return whole;
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
  int<lower=1> D; // columns of the response
  matrix[D, N] y; // y_1, y_2
  vector[D] y_center; // median of y_1, y_2
  vector[D] y_scale; // standard deviation of y_1, y_2
  int<lower=1, upper=D> order_column; // the column whose locations increase
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  array[K] vector<lower=0>[D] sigma;
  simplex[K] weights;
}
transformed parameters {
  array[K] vector[D] mu = insert_ordered(mu_order, mu_rest, order_column);
}
model {
  for (k in 1:K) {
    target += normal_lpdf(mu[k] | y_center, 2.5 * y_scale);
  }
  for (k in 1:K) {
    target += inv_gamma_lpdf(sigma[k] | rep_vector(3, D), y_scale);
  }
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = multi_normal_log_omega(y, mu[k], sigma[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = multi_normal_log_omega(y, mu[k], sigma[k]);
    }
  }
}
