// y | unit(id) ~ hmm(normal, states=3, transition="110;011;101")
// transition ~ a
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

  // Log probabilities of the first state, the same for all series, as K vectors of one element.
  array[] vector log_start(vector initial) {
    array[num_elements(initial)] vector[1] log_initial;
    for (k in 1:num_elements(initial)) {
      log_initial[k] = [fmax(log(initial[k]), -1e300)]';
    }
    return log_initial;
  }

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  vector[N] y;
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=1> U; // units, whose rows share a state
  array[U] int<lower=1> unit_size; // rows of each unit
  array[U] int<lower=0, upper=1> first; // 1 where a series begins
  array[K, K] int<lower=0, upper=1> allowed; // moves, from rows to columns
  int<lower=0> M; // moves that have coefficients
  array[K, K] int<lower=0, upper=M> move_slope; // which of them a move is, 0 for none
  int<lower=1> P_transition; // terms of transition: a
  matrix[U, P_transition] X_transition; // less their means
  vector[P_transition] X_transition_mean;
  vector[P_transition] beta_transition_scale; // 2.5 on the scale of log probabilities over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  simplex[K] initial;
  simplex[sum(allowed[1])] transition_from_1;
  simplex[sum(allowed[2])] transition_from_2;
  simplex[sum(allowed[3])] transition_from_3;
  array[M] vector[P_transition] slope_transition;
}
transformed parameters {
  array[K] vector[K] transition = {spread_out(transition_from_1, allowed[1]), spread_out(transition_from_2, allowed[2]), spread_out(transition_from_3, allowed[3])};
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  target += dirichlet_lpdf(transition_from_1 | [2, 1]');
  target += dirichlet_lpdf(transition_from_2 | sticky(2, K, 4, 1)[which(allowed[2])]);
  target += dirichlet_lpdf(transition_from_3 | sticky(3, K, 4, 1)[which(allowed[3])]);
  for (k in {2, 3}) {
    target += normal_lpdf(slope_transition[k] | rep_vector(0, P_transition), beta_transition_scale);
  }
  target += normal_lpdf(slope_transition[1][1] | 0, 1);

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
  }

  array[M] vector[U] transition_predictor;
  for (k in 1:M) {
    transition_predictor[k] = X_transition * slope_transition[k];
  }
  matrix[K * K, U] log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, U);
  target += hmm_log_density_by_move(sum_units(log_omega, unit_size), log_start(initial), log_move, linspaced_int_array(U, 1, U), first);
}
generated quantities {
  array[K, K] vector[P_transition + 1] beta_transition;
  for (k in 1:K) {
    beta_transition[k] = move_coefficients(transition[k], allowed[k], move_slope[k], X_transition_mean, slope_transition);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  matrix[emit ? K * K : 0, emit ? U : 0] log_move;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
    array[M] vector[U] transition_predictor;
    for (k in 1:M) {
      transition_predictor[k] = X_transition * slope_transition[k];
    }
    log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, U);
  }
}
