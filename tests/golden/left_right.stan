// y ~ hmm(normal, states=3, transition=left_right)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

  // The places of the ones.
  array[] int which(array[] int is) {
    array[sum(is)] int places;
    int found = 0;
    for (i in 1:size(is)) {
      if (is[i]) {
        found += 1;
        places[found] = i;
      }
    }
    return places;
  }

  // Probabilities of all states, from those of the allowed ones; the others have 0.
  vector spread_out(vector probability, array[] int allowed) {
    vector[size(allowed)] all_states = zeros_vector(size(allowed));
    all_states[which(allowed)] = probability;
    return all_states;
  }

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
  }

  // Log density of all series under a hidden Markov model that does not allow all moves. It works on
  // logs throughout: where mass cannot come back, a state of probability below 1e-308 may be the only
  // one that later rows admit. log_initial[k] is the log probability of starting in state k, of each
  // series or of all; move[t] says which column of log_move leads into t; first[t] is 1 where a series
  // begins.
  real hmm_log_density_by_move(array[] vector log_omega, array[] vector log_initial,
                               matrix log_move, array[] int move, array[] int first) {
    int K = size(log_omega);
    int T = num_elements(log_omega[1]);
    int S = num_elements(log_initial[1]);
    matrix[K, T] omega;
    for (k in 1:K) {
      omega[k] = log_omega[k]';
    }
    array[cols(log_move), K] vector[K] arrive; // arrive[g, k]: from all states to state k
    for (g in 1:cols(log_move)) {
      for (k in 1:K) {
        arrive[g, k] = to_matrix(log_move[, g], K, K)[k]';
      }
    }
    vector[sum(first)] density;
    vector[K] state;
    int series = 0;
    for (t in 1:T) {
      vector[K] next_state;
      if (first[t]) {
        series += 1;
        for (k in 1:K) {
          next_state[k] = log_initial[k][S == 1 ? 1 : series];
        }
      } else {
        for (k in 1:K) {
          next_state[k] = log_sum_exp(state + arrive[move[t], k]);
        }
      }
      state = fmax(next_state + omega[, t], -1e300);
      if (t == T || first[min({t + 1, T})]) {
        density[series] = log_sum_exp(state);
      }
    }
    return sum(density) < -1e299 ? negative_infinity() : sum(density);
  }

  // Log probabilities of the first state, the same for all series, as K vectors of one element.
  array[] vector log_start(vector initial) {
    array[num_elements(initial)] vector[1] log_initial;
    for (k in 1:num_elements(initial)) {
      log_initial[k] = [fmax(log(initial[k]), -1e300)]';
    }
    return log_initial;
  }

  // Log probabilities of moves in so many steps, a column for each number of steps: the K moves from
  // state 1, then those from state 2, and so on. binary[g] holds the binary digits of a number of steps,
  // the lowest first; reach[g] is 1 where so many may lead. Other places have -1e300, since minus
  // infinity has no gradient.
  matrix log_moves(array[] vector transition, array[,,] int reach, array[,] int binary) {
    int K = size(transition);
    matrix[K, K] once;
    for (i in 1:K) {
      once[i] = transition[i]';
    }
    int B = size(binary[1]);
    array[B] matrix[K, K] doubled; // by 1, 2, 4, .. steps
    doubled[1] = once;
    for (b in 2:B) {
      doubled[b] = doubled[b - 1] * doubled[b - 1];
    }
    matrix[K * K, size(binary)] log_move = rep_matrix(-1e300, K * K, size(binary));
    for (g in 1:size(binary)) {
      matrix[K, K] moved = identity_matrix(K);
      for (b in 1:B) {
        if (binary[g, b]) {
          moved = moved * doubled[b];
        }
      }
      for (i in 1:K) {
        for (j in which(reach[g, i])) {
          log_move[(i - 1) * K + j, g] = log(moved[i, j]);
        }
      }
    }
    return log_move;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  array[K, K] int<lower=0, upper=1> allowed; // moves, from rows to columns
  int<lower=1> G; // different numbers of steps
  int<lower=1> B; // binary digits of the largest
  array[G, B] int<lower=0, upper=1> binary; // the lowest digit first
  array[G, K, K] int<lower=0, upper=1> reach; // where they may lead
  array[N] int<lower=1, upper=G> move; // which number of steps leads there
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  simplex[sum(allowed[1])] transition_from_1;
  simplex[sum(allowed[2])] transition_from_2;
  simplex[sum(allowed[3])] transition_from_3;
}
transformed parameters {
  array[K] vector[K] transition = {spread_out(transition_from_1, allowed[1]), spread_out(transition_from_2, allowed[2]), spread_out(transition_from_3, allowed[3])};
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(transition_from_1 | sticky(1, K, 4, 1)[which(allowed[1])]);
  target += dirichlet_lpdf(transition_from_2 | sticky(2, K, 4, 1)[which(allowed[2])]);
  target += dirichlet_lpdf(transition_from_3 | sticky(3, K, 4, 1)[which(allowed[3])]);

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  target += hmm_log_density_by_move(log_omega, log_start(append_row(1, zeros_vector(K - 1))), log_moves(transition, reach, binary), move, first);
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
  }
}
