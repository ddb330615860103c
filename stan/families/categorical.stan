// Categorical distribution: prob holds the probabilities of the categories 1 to C.

// Log mass of each row.
vector categorical_log_omega(array[] int y, int C, vector prob) {
  return log(prob)[y];
}

// Log mass of each row, where log_prob has the logarithms of probabilities by row of each category.
vector categorical_log_omega(array[] int y, int C, array[] vector log_prob) {
  vector[size(y)] log_omega = zeros_vector(size(y));
  for (c in 1:C) {
    array[size(y)] int is_c;
    for (n in 1:size(y)) {
      is_c[n] = y[n] == c;
    }
    log_omega[which(is_c)] = log_prob[c][which(is_c)];
  }
  return log_omega;
}

// One draw for each of N rows: how many sums of probabilities lie below a uniform number.
array[] int categorical_emission_rng(int N, int C, vector prob) {
  vector[N] u = to_vector(uniform_rng(zeros_vector(N), 1));
  vector[C] upto = cumulative_sum(prob);
  array[N] int category = rep_array(1, N);
  for (c in 1:(C - 1)) {
    for (n in 1:N) {
      category[n] += u[n] > upto[c];
    }
  }
  return category;
}
