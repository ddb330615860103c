// Probabilities of all states, from those of the allowed ones; the others have 0.
vector spread_out(vector probability, array[] int allowed) {
  vector[size(allowed)] all_states = zeros_vector(size(allowed));
  all_states[which(allowed)] = probability;
  return all_states;
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

// Log probabilities of the move into each of T places, a column for each: the K moves from state 1,
// then those from state 2, and so on;
// `transition` where all covariates are at their means, from where predictors move it on the scale
// of logarithms. move_slope says which predictor a move has, 0 for none.
matrix log_moves_by_place(array[] vector transition, array[,] int allowed,
                          array[,] int move_slope, array[] vector predictor, int T) {
  int K = size(transition);
  matrix[K * K, T] log_move = rep_matrix(-1e300, K * K, T);
  for (i in 1:K) {
    array[K] vector[T] log_odds;
    vector[T] total = rep_vector(-1e300, T);
    for (j in which(allowed[i])) {
      log_odds[j] = log(transition[i, j]) + zeros_vector(T);
      if (move_slope[i, j] > 0) {
        log_odds[j] += predictor[move_slope[i, j]];
      }
      total = log_sum_exp(total, log_odds[j]);
    }
    for (j in which(allowed[i])) {
      log_move[(i - 1) * K + j] = (log_odds[j] - total)';
    }
  }
  return log_move;
}

// Coefficients of the moves from a state on the scale of the covariates, each with the intercept
// first. The one allowed move without a slope is what the others are compared with; it has 0, as has
// what is not allowed.
array[] vector move_coefficients(vector transition, array[] int allowed, array[] int move_slope,
                                 vector means, array[] vector slopes) {
  int K = size(allowed);
  array[K] vector[num_elements(means) + 1] coefficients;
  int reference = 1;
  for (j in which(allowed)) {
    reference = move_slope[j] == 0 ? j : reference;
  }
  for (j in 1:K) {
    coefficients[j] = zeros_vector(num_elements(means) + 1);
    if (move_slope[j] > 0) {
      coefficients[j] = from_means(log(transition[j]) - log(transition[reference]), means,
                                   slopes[move_slope[j]]);
    }
  }
  return coefficients;
}

// Effects of G groups on the moves from a state, a row each; 0 where a move has no coefficients.
array[] matrix move_effects(matrix scale, array[] matrix z, array[] int move_slope, int G) {
  int K = size(move_slope);
  array[K] matrix[G, rows(scale)] effects;
  for (j in 1:K) {
    effects[j] = rep_matrix(0, G, rows(scale));
    if (move_slope[j] > 0) {
      effects[j] = (scale * z[move_slope[j]])';
    }
  }
  return effects;
}

// Log probabilities of the first state, the same for all series, as K vectors of one element.
array[] vector log_start(vector initial) {
  array[num_elements(initial)] vector[1] log_initial;
  for (k in 1:num_elements(initial)) {
    log_initial[k] = [fmax(log(initial[k]), -1e300)]';
  }
  return log_initial;
}

// Log density of all series under a hidden Markov model whose moves vary, by the forward algorithm.
// log_initial[k] is the log probability of starting in state k, of each series or of all; move[t]
// says which column of log_move leads into t; first[t] is 1 where a series begins.
real hmm_log_density_by_place(array[] vector log_omega, array[] vector log_initial,
                              matrix log_move, array[] int move, array[] int first) {
  int K = size(log_omega);
  int T = num_elements(log_omega[1]);
  int S = num_elements(log_initial[1]);
  vector[T] highest = log_omega[1];
  for (k in 2:K) {
    highest = fmax(highest, log_omega[k]);
  }
  matrix[K, T] omega;
  matrix[K, S] initial;
  for (k in 1:K) {
    omega[k] = exp(log_omega[k] - highest)';
    initial[k] = exp(log_initial[k])';
  }
  matrix[K * K, cols(log_move)] moves = exp(log_move);
  vector[T] increment;
  vector[K] state;
  int series = 0;
  for (t in 1:T) {
    if (first[t]) {
      series += 1;
      state = initial[, S == 1 ? 1 : series] .* omega[, t];
    } else {
      state = (to_matrix(moves[, move[t]], K, K) * state) .* omega[, t];
    }
    increment[t] = sum(state);
    state /= increment[t];
  }
  return sum(log(increment)) + sum(highest);
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
