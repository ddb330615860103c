// y | unit(id) ~ mix(normal, K=3)
// weights ~ a
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // Vectors of N elements, one a component, that sum to zero over K components, from K - 1 free ones: by
  // an orthonormal basis, so that independent normal priors of these treat all components alike.
  array[] vector sum_to_zero(array[] vector free, int N) {
    int K = size(free) + 1;
    array[K] vector[N] sums = rep_array(zeros_vector(N), K);
    for (j in 1:(K - 1)) {
      vector[N] step = free[j] / sqrt(j * (j + 1.0));
      for (k in 1:j) {
        sums[k] += step;
      }
      sums[j + 1] -= j * step;
    }
    return sums;
  }

  // Log probabilities of K components in N places: `probability` where all covariates are at their
  // means, from where K - 1 free predictors, made to sum to zero, move them.
  array[] vector log_softmax_by_place(vector probability, array[] vector free, int N) {
    int K = num_elements(probability);
    array[K] vector[N] log_probability = sum_to_zero(free, N);
    for (k in 1:K) {
      log_probability[k] += log(probability[k]);
    }
    vector[N] total = log_probability[1];
    for (k in 2:K) {
      total = log_sum_exp(total, log_probability[k]);
    }
    for (k in 1:K) {
      log_probability[k] -= total;
    }
    return log_probability;
  }

  // The sum of log densities, minus infinity where -1e300 stands for that in one.
  real sum_log_density(vector log_density) {
    real total = sum(log_density);
    return total < -1e299 ? negative_infinity() : total;
  }

  // Log density of each observation under a mixture whose weights differ by observation:
  // log(sum over k of exp(log_weights[k, n] + log_omega[k, n])). -1e300 stands in for minus infinity in
  // the first, since log_sum_exp of two of these has no gradient.
  vector mixture_of_experts_log_density(array[] vector log_omega, array[] vector log_weights) {
    vector[num_elements(log_omega[1])] total = log_weights[1] + log_omega[1];
    if (min(total) < -1e300) {
      total = fmax(total, -1e300);
    }
    for (k in 2:size(log_omega)) {
      total = log_sum_exp(total, log_weights[k] + log_omega[k]);
    }
    return total;
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

  // Coefficients of K components on the scale of the covariates, each with the intercept first; they
  // sum to zero.
  array[] vector softmax_coefficients(vector probability, vector means, array[] vector free) {
    int K = num_elements(probability);
    int P = num_elements(means);
    array[K] vector[P] slopes = sum_to_zero(free, P);
    array[K] vector[P + 1] coefficients;
    vector[K] at_means = log(probability) - mean(log(probability));
    for (k in 1:K) {
      coefficients[k] = from_means(at_means[k], means, slopes[k]);
    }
    return coefficients;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  int<lower=1> P_weights; // terms of weights: a
  matrix[U, P_weights] X_weights; // less their means
  vector[P_weights] X_weights_mean;
  vector[P_weights] beta_weights_scale; // 2.5 on the scale of log probabilities over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu;
  vector<lower=0>[K] sigma;
  simplex[K] weights;
  array[K - 1] vector[P_weights] slope_weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(weights | rep_vector(2, K));
  for (k in 1:(K - 1)) {
    target += normal_lpdf(slope_weights[k] | rep_vector(0, P_weights), beta_weights_scale);
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  array[K - 1] vector[U] weights_predictor;
  for (k in 1:(K - 1)) {
    weights_predictor[k] = X_weights * slope_weights[k];
  }
  array[K] vector[U] log_weights = log_softmax_by_place(weights, weights_predictor, U);
  target += sum_log_density(mixture_of_experts_log_density(sum_units(log_omega, unit_size), log_weights));
}
generated quantities {
  array[K] vector[P_weights + 1] beta_weights = softmax_coefficients(weights, X_weights_mean, slope_weights);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  array[emit ? K : 0] vector[emit ? U : 0] log_weights;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
    array[K - 1] vector[U] weights_predictor;
    for (k in 1:(K - 1)) {
      weights_predictor[k] = X_weights * slope_weights[k];
    }
    log_weights = log_softmax_by_place(weights, weights_predictor, U);
  }
}
