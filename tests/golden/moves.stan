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

  // Vectors, one a component, that sum to zero over K components, from K - 1 free ones: an orthonormal
  // basis, so that independent normal priors of the free ones treat all components alike.
  array[] vector sum_to_zero(array[] vector free) {
    int K = size(free) + 1;
    array[K] vector[K > 1 ? num_elements(free[1]) : 0] sums;
    for (k in 1:K) {
      sums[k] = zeros_vector(num_elements(sums[k]));
    }
    for (j in 1:(K - 1)) {
      vector[num_elements(free[j])] step = free[j] / sqrt(j * (j + 1.0));
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
    array[K] vector[N] log_probability;
    for (k in 1:K) {
      log_probability[k] = log(probability[k]) + zeros_vector(N);
    }
    if (K > 1) {
      array[K] vector[N] predictor = sum_to_zero(free);
      vector[N] total = log_probability[1] + predictor[1];
      for (k in 2:K) {
        total = log_sum_exp(total, log_probability[k] + predictor[k]);
      }
      for (k in 1:K) {
        log_probability[k] += predictor[k] - total;
      }
    }
    return log_probability;
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

  // Coefficients on the scale of the covariates, the intercept first: from the linear predictor where
  // the covariates are at their means, and the slopes.
  vector from_means(real at_means, vector means, vector slopes) {
    return append_row(at_means - dot_product(means, slopes), slopes);
  }

  // Coefficients of K components on the scale of the covariates, each with the intercept first; they
  // sum to zero.
  array[] vector softmax_coefficients(vector probability, vector means, array[] vector free) {
    int K = num_elements(probability);
    array[K] vector[num_elements(means) + 1] coefficients;
    for (k in 1:K) {
      coefficients[k] = zeros_vector(num_elements(means) + 1);
    }
    if (K > 1) {
      vector[K] at_means = log(probability) - mean(log(probability));
      array[K] vector[num_elements(means)] slopes = sum_to_zero(free);
      for (k in 1:K) {
        coefficients[k] = from_means(at_means[k], means, slopes[k]);
      }
    }
    return coefficients;
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
  array[N] int<lower=0> y; // count
  real y_mean; // mean of count
  array[N] int<lower=0, upper=1> first; // 1 where a series begins
  array[K, K] int<lower=0, upper=1> allowed; // moves, from rows to columns
  int<lower=0> M; // moves that have coefficients
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
    target += normal_lpdf(slope_initial[k] | 0, beta_initial_scale);
  }
  for (k in 1:K) {
    target += dirichlet_lpdf(transition[k] | sticky(k, K, 4, 1));
  }
  for (k in 1:M) {
    target += normal_lpdf(slope_transition[k] | 0, beta_transition_scale);
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
  array[N] matrix[K, K] log_move = log_moves_by_place(transition, allowed, transition_predictor, N);
  array[K] vector[S] log_initial = log_softmax_by_place(initial, initial_predictor, S);
  target += hmm_log_density_by_move(log_omega, log_initial, log_move, linspaced_int_array(N, 1, N), first);
}
generated quantities {
  array[K] vector[P_initial + 1] beta_initial = softmax_coefficients(initial, X_initial_mean, slope_initial);
  array[K, K] vector[P_transition + 1] beta_transition = move_coefficients(transition, allowed, X_transition_mean, slope_transition);
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  array[emit ? N : 0] matrix[K, K] log_move;
  array[emit ? K : 0] vector[S] log_initial;
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
    log_move = log_moves_by_place(transition, allowed, transition_predictor, N);
    log_initial = log_softmax_by_place(initial, initial_predictor, S);
  }
}
