// count | series(subject) ~ hmm(poisson, states=2)
// rate ~ (x || choice)
// transition ~ (1 | subject)
functions {
  // The log density where x, made of data, is not negative, minus infinity elsewhere.
  vector restrict_to_nonnegative(vector log_density, vector x) {
    vector[num_elements(x)] restricted = log_density;
    if (min(x) < 0) {
      vector[num_elements(x)] value = x;
      for (n in 1:num_elements(x)) {
        if (value[n] < 0) {
          restricted[n] = negative_infinity();
        }
      }
    }
    return restricted;
  }

  // Log mass of each row; minus infinity where y is negative.
  vector poisson_log_omega(array[] int y, vector rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
  }

  // What the effects of groups, a row each, add to a predictor in every place.
  vector by_group(matrix Z, array[] int group, matrix effects) {
    vector[rows(Z)] total = zeros_vector(rows(Z));
    for (q in 1:cols(Z)) {
      total += Z[, q] .* effects[group, q];
    }
    return total;
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

  // Log probabilities of the first state, the same for all series, as K vectors of one element.
  array[] vector log_start(vector initial) {
    array[num_elements(initial)] vector[1] log_initial;
    for (k in 1:num_elements(initial)) {
      log_initial[k] = [fmax(log(initial[k]), -1e300)]';
    }
    return log_initial;
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
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // states
  array[N] int<lower=0> y; // count
  real y_mean; // mean of count
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  array[K, K] int<lower=0, upper=1> allowed; // moves, from rows to columns
  int<lower=0> M; // moves that have coefficients
  array[K, K] int<lower=0, upper=M> move_slope; // which of them a move is, 0 for none
  int<lower=1> G_choice; // groups of choice
  int<lower=1> G_subject; // groups of subject
  int<lower=1> Q_choice_rate; // terms of rate by choice: Intercept, x
  matrix[N, Q_choice_rate] Z_choice_rate;
  array[N] int<lower=1, upper=G_choice> group_choice_rate;
  int<lower=1> Q_subject_transition; // terms of transition by subject: Intercept
  matrix[N, Q_subject_transition] Z_subject_transition;
  array[N] int<lower=1, upper=G_subject> group_subject_transition;
  vector[Q_choice_rate] sd_choice_rate_scale; // 1 on the log scale over the sd of each term
  vector[Q_subject_transition] sd_subject_transition_scale; // 1 on the scale of log probabilities over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] rate;
  array[K] vector<lower=0>[Q_choice_rate] sd_choice_rate;
  simplex[K] initial;
  array[K] simplex[K] transition;
  vector<lower=0>[Q_subject_transition] sd_subject_transition;
  array[K] matrix[Q_choice_rate, G_choice] z_choice_rate; // effects of groups, standard normal
  array[M] matrix[Q_subject_transition, G_subject] z_subject_transition; // effects of groups, standard normal
}
transformed parameters {
  array[K] matrix[G_choice, Q_choice_rate] r_choice_rate;
  for (k in 1:K) {
    r_choice_rate[k] = diag_pre_multiply(sd_choice_rate[k], z_choice_rate[k])';
  }
}
model {
  target += exponential_lpdf(rate | 1 / y_mean);
  for (k in 1:K) {
    target += student_t_lpdf(sd_choice_rate[k] | rep_vector(3, Q_choice_rate), rep_vector(0, Q_choice_rate), sd_choice_rate_scale) - student_t_lccdf(rep_vector(0, Q_choice_rate) | 3, 0, sd_choice_rate_scale);
  }
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }
  target += student_t_lpdf(sd_subject_transition | 3, 0, sd_subject_transition_scale) - student_t_lccdf(rep_vector(0, Q_subject_transition) | 3, 0, sd_subject_transition_scale);
  for (k in 1:K) {
    target += std_normal_lpdf(to_vector(z_choice_rate[k]));
  }
  for (k in 1:M) {
    target += std_normal_lpdf(to_vector(z_subject_transition[k]));
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    vector[N] rate_by_row = rate[k] * exp(by_group(Z_choice_rate, group_choice_rate, r_choice_rate[k]));
    log_omega[k] = poisson_log_omega(y, rate_by_row);
  }

  array[M] vector[N] transition_predictor;
  for (k in 1:M) {
    transition_predictor[k] = by_group(Z_subject_transition, group_subject_transition, diag_pre_multiply(sd_subject_transition, z_subject_transition[k])');
  }
  matrix[K * K, N] log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, N);
  target += hmm_log_density_by_place(log_omega, log_start(initial), log_move, linspaced_int_array(N, 1, N), first);
}
generated quantities {
  array[K, K] matrix[G_subject, Q_subject_transition] r_subject_transition;
  for (k in 1:K) {
    r_subject_transition[k] = move_effects(diag_matrix(sd_subject_transition), z_subject_transition, move_slope[k], G_subject);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  matrix[emit ? K * K : 0, emit ? N : 0] log_move;
  if (emit) {
    for (k in 1:K) {
      vector[N] rate_by_row = rate[k] * exp(by_group(Z_choice_rate, group_choice_rate, r_choice_rate[k]));
      log_omega[k] = poisson_log_omega(y, rate_by_row);
    }
    array[M] vector[N] transition_predictor;
    for (k in 1:M) {
      transition_predictor[k] = by_group(Z_subject_transition, group_subject_transition, diag_pre_multiply(sd_subject_transition, z_subject_transition[k])');
    }
    log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, N);
  }
}
