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

// The stationary distribution of a chain: delta with delta = delta * transition, which solves
// (I - transition + 1)' delta = 1 (Zucchini, MacDonald and Langrock 2016, section 1.3).
vector stationary(array[] vector transition) {
  int K = size(transition);
  matrix[K, K] system = add_diag(rep_matrix(1, K, K), 1);
  for (k in 1:K) {
    system[, k] -= transition[k];
  }
  return system \ rep_vector(1, K);
}

// Dirichlet parameters of row k of a transition matrix that favours staying.
vector sticky(int k, int K, real stay, real move) {
  vector[K] alpha = rep_vector(move, K);
  alpha[k] = stay;
  return alpha;
}
