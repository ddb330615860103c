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

  // The state with which others are compared in a row of a transition matrix: staying, where that is
  // allowed, else the first that is.
  int reference_state(int from, array[] int allowed) {
    return allowed[from] ? from : which(allowed)[1];
  }

  // Log probabilities of the move into each of T places, from rows to columns: `transition` where all
  // covariates are at their means, from where predictors move its allowed elements, row after row, on
  // the scale of their logarithms; the reference of a row has none.
  array[] matrix log_moves_by_place(array[] vector transition, array[,] int allowed,
                                    array[] vector predictor, int T) {
    int K = size(transition);
    array[K, K] vector[T] log_odds;
    array[T] matrix[K, K] log_move;
    int m = 0;
    for (i in 1:K) {
      array[sum(allowed[i])] int to = which(allowed[i]);
      vector[T] total;
      for (h in 1:size(to)) {
        log_odds[i, to[h]] = log(transition[i, to[h]]) + zeros_vector(T);
        if (to[h] != reference_state(i, allowed[i])) {
          m += 1;
          log_odds[i, to[h]] += predictor[m];
        }
        total = h == 1 ? log_odds[i, to[1]] : log_sum_exp(total, log_odds[i, to[h]]);
      }
      for (j in to) {
        log_odds[i, j] -= total;
      }
    }
    for (t in 1:T) {
      log_move[t] = rep_matrix(-1e300, K, K);
      for (i in 1:K) {
        for (j in which(allowed[i])) {
          log_move[t, i, j] = log_odds[i, j][t];
        }
      }
    }
    return log_move;
  }

  // Log density of all series under a hidden Markov model whose moves vary or are restricted, the
  // states summed out by the forward algorithm. It works on logs throughout: where mass cannot come
  // back, a state of probability below 1e-308 may be the one that later rows admit.
  // log_initial[k] is the log probability of starting in state k, of each series or of all; move[t]
  // says which element of log_move leads into t; first[t] is 1 where a series begins.
  real hmm_log_density_by_move(array[] vector log_omega, array[] vector log_initial,
                               array[] matrix log_move, array[] int move, array[] int first) {
    int K = size(log_omega);
    int T = num_elements(log_omega[1]);
    int S = num_elements(log_initial[1]);
    vector[sum(first)] density;
    vector[K] state;
    int series = 0;
    for (t in 1:T) {
      vector[K] next_state;
      if (first[t]) {
        series += 1;
        for (k in 1:K) {
          next_state[k] = log_initial[k][min({series, S})];
        }
      } else {
        for (k in 1:K) {
          next_state[k] = log_sum_exp(state + log_move[move[t]][, k]);
        }
      }
      for (k in 1:K) {
        next_state[k] += log_omega[k][t];
      }
      state = fmax(next_state, -1e300);
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

  // Coefficients of moves on the scale of the covariates, each with the intercept first; 0 for the
  // reference of a row, and for what is not allowed.
  array[,] vector move_coefficients(array[] vector transition, array[,] int allowed, vector means,
                                    array[] vector slopes) {
    int K = size(transition);
    array[K, K] vector[num_elements(means) + 1] coefficients;
    int m = 0;
    for (i in 1:K) {
      int reference = reference_state(i, allowed[i]);
      for (j in 1:K) {
        coefficients[i, j] = zeros_vector(num_elements(means) + 1);
        if (allowed[i, j] && j != reference) {
          m += 1;
          coefficients[i, j] = from_means(log(transition[i, j]) - log(transition[i, reference]),
                                          means, slopes[m]);
        }
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
    target += normal_lpdf(slope_transition[k] | 0, beta_transition_scale);
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
  array[U] matrix[K, K] log_move = log_moves_by_place(transition, allowed, transition_predictor, U);
  target += hmm_log_density_by_move(sum_units(log_omega, unit_size), log_start(initial), log_move, linspaced_int_array(U, 1, U), first);
}
generated quantities {
  array[K, K] vector[P_transition + 1] beta_transition = move_coefficients(transition, allowed, X_transition_mean, slope_transition);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  array[emit ? U : 0] matrix[K, K] log_move;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = normal_log_omega(y, mu[k], sigma[k]);
    }
    array[M] vector[U] transition_predictor;
    for (k in 1:M) {
      transition_predictor[k] = X_transition * slope_transition[k];
    }
    log_move = log_moves_by_place(transition, allowed, transition_predictor, U);
  }
}
