// y | unit(id) + known(label) + freq(choice) ~ hmm(normal, states=2)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
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

  // Log densities with minus infinity in the states that are known not to be: possible[k, n] is 0.
  array[] vector keep_possible(array[] vector log_omega, array[,] int possible) {
    array[size(log_omega)] vector[num_elements(log_omega[1])] kept;
    for (k in 1:size(log_omega)) {
      kept[k] = log_omega[k] + log(to_vector(possible[k]));
    }
    return kept;
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

  // Log densities of rows that count several times each.
  array[] vector repeat_rows(array[] vector log_omega, vector freq) {
    array[size(log_omega)] vector[num_elements(freq)] repeated;
    for (k in 1:size(log_omega)) {
      repeated[k] = freq .* log_omega[k];
    }
    return repeated;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  vector<lower=0>[N] freq; // choice: how often a row counts
  array[K, U] int<lower=0, upper=1> possible; // label: which states there may be
  array[U] int<lower=0, upper=1> first; // 1 where a series begins
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  simplex[K] initial;
  array[K] simplex[K] transition;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  target += hmm_log_density(keep_possible(sum_units(repeat_rows(log_omega, freq), unit_size), possible), initial, transition, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
  }
}
