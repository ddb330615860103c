// count | series(subject) ~ hmm(poisson, states=3)
// transition ~ x
// initial ~ b
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
  vector poisson_log_omega(array[] int y, real rate) {
    return restrict_to_nonnegative(
      to_vector(y) .* log(rate) - rate - lgamma(fmax(to_vector(y), 0) + 1), to_vector(y));
  }

  // Dirichlet parameters of row k of a transition matrix that favours staying.
  vector sticky(int k, int K, real stay, real move) {
    vector[K] alpha = rep_vector(move, K);
    alpha[k] = stay;
    return alpha;
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
  array[N] int<lower=0> y; // count
  real y_mean; // mean of count
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  array[K, K] int<lower=0, upper=1> allowed; // moves, from rows to columns
  int<lower=0> M; // moves that have coefficients
  array[K, K] int<lower=0, upper=M> move_slope; // which of them a move is, 0 for none
  int<lower=1> S; // series
  int<lower=1> P_transition; // terms of transition: x
  matrix[N, P_transition] X_transition; // less their means
  vector[P_transition] X_transition_mean;
  int<lower=1> P_initial; // terms of initial: b
  matrix[S, P_initial] X_initial; // less their means
  vector[P_initial] X_initial_mean;
  vector[P_initial] beta_initial_scale; // 2.5 on the scale of log probabilities over the sd of each term
  vector[P_transition] beta_transition_scale; // 2.5 on the scale of log probabilities over the sd of each term
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  positive_ordered[K] rate;
  simplex[K] initial;
  array[K - 1] vector[P_initial] slope_initial;
  array[K] simplex[K] transition;
  array[M] vector[P_transition] slope_transition;
}
model {
  target += exponential_lpdf(rate | 1 / y_mean);
  target += dirichlet_lpdf(initial | rep_vector(1, K));
  for (k in 1:(K - 1)) {
    target += normal_lpdf(slope_initial[k] | rep_vector(0, P_initial), beta_initial_scale);
  }
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }
  for (k in 1:M) {
    target += normal_lpdf(slope_transition[k] | rep_vector(0, P_transition), beta_transition_scale);
  }

  array[K] vector[N] log_omega;
  for (k in 1:K) {
    log_omega[k] = poisson_log_omega(y, rate[k]);
  }

  array[M] vector[N] transition_predictor;
  for (k in 1:M) {
    transition_predictor[k] = X_transition * slope_transition[k];
  }
  array[K - 1] vector[S] initial_predictor;
  for (k in 1:(K - 1)) {
    initial_predictor[k] = X_initial * slope_initial[k];
  }
  matrix[K * K, N] log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, N);
  array[K] vector[S] log_initial = log_softmax_by_place(initial, initial_predictor, S);
  target += hmm_log_density_by_place(log_omega, log_initial, log_move, linspaced_int_array(N, 1, N), first);
}
generated quantities {
  array[K] vector[P_initial + 1] beta_initial = softmax_coefficients(initial, X_initial_mean, slope_initial);
  array[K, K] vector[P_transition + 1] beta_transition;
  for (k in 1:K) {
    beta_transition[k] = move_coefficients(transition[k], allowed[k], move_slope[k], X_transition_mean, slope_transition);
  }
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  matrix[emit ? K * K : 0, emit ? N : 0] log_move;
  array[emit ? K : 0] vector[emit ? S : 0] log_initial;
  if (emit) {
    for (k in 1:K) {
      log_omega[k] = poisson_log_omega(y, rate[k]);
    }
    array[M] vector[N] transition_predictor;
    for (k in 1:M) {
      transition_predictor[k] = X_transition * slope_transition[k];
    }
    array[K - 1] vector[S] initial_predictor;
    for (k in 1:(K - 1)) {
      initial_predictor[k] = X_initial * slope_initial[k];
    }
    log_move = log_moves_by_place(transition, allowed, move_slope, transition_predictor, N);
    log_initial = log_softmax_by_place(initial, initial_predictor, S);
  }
}
