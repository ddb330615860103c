// cbind(positive, turn) ~ hmm(gamma & von_mises, states=2)
functions {
  // The log density where x is positive, minus infinity elsewhere.
  vector restrict_to_positive(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
  // for rows that `restrict_to_positive` then takes out. (stanli cannot make a branch that depends on
  // a parameter where there are no rows.)
  vector positive_or_one(vector x) {
    vector[num_elements(x)] positive = x;
    if (num_elements(x) > 0 && min(x) <= 0) {
      for (n in 1:num_elements(x)) {
        if (x[n] <= 0) {
          positive[n] = 1;
        }
      }
    }
    return positive;
  }

  // Log density of each row; minus infinity unless y is positive.
  vector gamma_log_omega(vector y, real mu, real shape) {
    return restrict_to_positive(
      shape .* (log(positive_or_one(y)) - log(mu) - y ./ mu)
      + (shape .* log(shape) - lgamma(shape))
      - log(positive_or_one(y)), y);
  }

  // Log density of each row, over a full turn.
  vector von_mises_log_omega(vector y, real mu, real kappa) {
    return kappa .* cos(y - mu) - log(2 * pi()) - log_modified_bessel_first_kind(0, kappa);
  }

  // The angle of a direction in the plane, between -pi and pi.
  real angle(vector direction) {
    return atan2(direction[2], direction[1]);
  }

  // Uniform distribution of the angle of a direction, whose length is about 1 and says nothing. With a
  // standard normal one, as unit vectors have in Stan, chains diverge near length 0 where the angle is
  // known well.
  real direction_lpdf(vector direction) {
    real size = sqrt(dot_self(direction));
    return normal_lpdf(size | 1, 0.1) - log(2 * pi() * size);
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] y_positive; // positive
  vector[N] y_turn; // turn
  real y_positive_mean; // mean of positive
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] mu_positive;
  vector<lower=0>[K] shape_positive;
  array[K] vector[2] mu_turn_direction;
  vector<lower=0>[K] kappa_turn;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
transformed parameters {
  vector[K] mu_turn;
  for (k in 1:K) {
    mu_turn[k] = angle(mu_turn_direction[k]);
  }
}
model {
  target += exponential_lpdf(mu_positive | 1 / y_positive_mean);
  target += gamma_lpdf(shape_positive | 2, 0.1);
  for (k in 1:K) {
    target += direction_lpdf(mu_turn_direction[k] | );
  }
  target += von_mises_lpdf(mu_turn[2] | 0, 2) + log(2 * pi());
  target += gamma_lpdf(kappa_turn | 2, 0.1);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = gamma_log_omega(y_positive, mu_positive[k], shape_positive[k])
                   + von_mises_log_omega(y_turn, mu_turn[k], kappa_turn[k]);
  }

  target += hmm_log_density(log_omega, initial, transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = gamma_log_omega(y_positive, mu_positive[k], shape_positive[k])
                     + von_mises_log_omega(y_turn, mu_turn[k], kappa_turn[k]);
    }
  }
}
