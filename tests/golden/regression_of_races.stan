// rt | dec(choice) ~ mix(lognormal_race, K=2)
// mu ~ x
functions {
  // x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
  // for rows that `restrict_to_positive` then takes out.
  vector positive_or_one(vector x) {
    vector[num_elements(x)] positive = x;
    if (min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          positive[n] = 1;
        }
      }
    }
    return positive;
  }

  // For each row the value of the accumulator that comes `after` the chosen one in a circle.
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
    if (min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // Log density of each row of a race whose mu vary by row, a column for each; minus infinity unless
  // rt is above ndt.
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
  int<lower=1> P_mu; // terms of mu: x
  matrix[N, P_mu] X_mu; // less their means
  vector[P_mu] X_mu_mean;
  vector[P_mu] beta_mu_scale; // 2.5 times the prior sd of mu / 2.5 over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  array[K] vector[A] mu;
  array[K, A] vector[P_mu] slope_mu;
  vector<lower=0>[K] sigma;
  vector<lower=0>[K] ndt;
  simplex[K] weights;
}
model {
  for (k in 1:K) {
    target += normal_lpdf(mu[k] | rt_log_center, 1.5);
  }
  for (k in 1:K) {
    for (d in 1:A) {
      target += normal_lpdf(slope_mu[k, d] | 0, beta_mu_scale);
    }
  }
  target += inv_gamma_lpdf(sigma | 3, 2 * rt_log_scale);
  target += normal_lpdf(ndt | 0, 0.5 * rt_center) - K * normal_lccdf(0 | 0, 0.5 * rt_center);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    matrix[A, N] mu_by_row;
    for (d in 1:A) {
      mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d])';
    }
    log_omega[k] = lognormal_race_log_omega(rt, choice, A, mu_by_row, sigma[k], ndt[k]);
  }

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[K, A] vector[P_mu + 1] beta_mu;
  for (k in 1:K) {
    beta_mu[k] = each_from_means(mu[k], X_mu_mean, slope_mu[k]);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      matrix[A, N] mu_by_row;
      for (d in 1:A) {
        mu_by_row[d] = (mu[k][d] + X_mu * slope_mu[k][d])';
      }
      log_omega[k] = lognormal_race_log_omega(rt, choice, A, mu_by_row, sigma[k], ndt[k]);
    }
  }
}
