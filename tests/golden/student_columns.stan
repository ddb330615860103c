// cbind(y, x) ~ mix(student, K=2)
functions {
  // Log density of D columns in units of their scale; the beta function keeps its digits where nu is
  // large.
  vector multi_student_at(vector distance, int D, real nu) {
    return -0.5 * (nu + D) .* log1p(distance ./ nu)
           - (0.5 * D * log(pi() * nu) + lbeta(0.5 * D, 0.5 * nu) - lgamma(0.5 * D));
  }

  // Squared distance of each observation from the location, in units of its scale and direction. The
  // inverse of the factor is as small as the covariance, and its product with the data is the fastest
  // way to independent columns.
  vector correlated_distance(matrix y, vector mu, vector sigma, matrix corr) {
    int D = rows(y);
    matrix[D, D] whiten
      = mdivide_left_tri_low(diag_pre_multiply(sigma, corr), identity_matrix(D));
    vector[cols(y)] distance = zeros_vector(cols(y));
    for (d in 1:D) {
      distance += square(whiten[d, 1:d] * y[1:d] - whiten[d, 1:d] * mu[1:d])';
    }
    return distance;
  }

  // Sum of the logarithms of the scales.
  real log_volume(vector sigma) {
    return sum(log(sigma));
  }

  // Log density of each observation.
  vector multi_student_log_omega(matrix y, vector mu, vector sigma, matrix corr, real nu) {
    return multi_student_at(correlated_distance(y, mu, sigma, corr), rows(y), nu)
           - (log_volume(sigma) + sum(log(diagonal(corr))));
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

  // LKJ prior of a correlation matrix with Cholesky factor L, times exp(-guard * trace(inverse)).
  // LKJ alone lets the smallest eigenvalue reach 0, where collinear rows make the likelihood infinite.
  // Not normalised in eta and guard.
  real guarded_lkj_lpdf(matrix L, real eta, real guard) {
    int D = rows(L);
    return lkj_corr_cholesky_lpdf(L | eta)
           - guard * sum(square(mdivide_left_tri_low(L, identity_matrix(D))));
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
  matrix[D, N] y; // y, x
  vector[D] y_center; // median of y, x
  vector[D] y_scale; // standard deviation of y, x
  int<lower=1, upper=D> order_column; // the column whose locations increase
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  ordered[K] mu_order;
  array[K] vector[D - 1] mu_rest;
  array[K] vector<lower=0>[D] sigma;
  array[K] cholesky_factor_corr[D] corr_cholesky;
  vector<lower=1>[K] nu;
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
  for (k in 1:K) {
    target += guarded_lkj_lpdf(corr_cholesky[k] | 2, 0.01);
  }
  target += gamma_lpdf(nu | 2, 0.1) - K * gamma_lccdf(1 | 2, 0.1);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = multi_student_log_omega(y, mu[k], sigma[k], corr_cholesky[k], nu[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K] matrix[D, D] corr;
  for (k in 1:K) {
    corr[k] = multiply_lower_tri_self_transpose(corr_cholesky[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = multi_student_log_omega(y, mu[k], sigma[k], corr_cholesky[k], nu[k]);
    }
  }
}
