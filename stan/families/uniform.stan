// Uniform distribution between low and high, both of which are possible.

// Log density of y; minus infinity outside.
vector uniform_log_density(vector y, real low, real high) {
  vector[num_elements(y)] log_density = rep_vector(-log(high - low), num_elements(y));
  for (n in 1:num_elements(y)) {
    if (y[n] < low || y[n] > high) {
      log_density[n] = negative_infinity();
    }
  }
  return log_density;
}

// Log density of each row; minus infinity outside.
vector uniform_log_omega(vector y, real low, real high) {
  return uniform_log_density(y, low, high);
}

// Log density of each row where every choice of 1 to A is as likely; minus infinity outside.
vector uniform_log_omega(vector y, array[] int choice, int A, real low, real high) {
  return uniform_log_density(y, low, high) - log(A);
}

// Log of a part of what lies between low and high: minus infinity of nothing, 0 of all and more.
vector uniform_log_part(vector part, real low, real high) {
  vector[num_elements(part)] share = part ./ (high - low);
  return restrict_to_positive(log(fmin(positive_or_one(share), 1)), share);
}

// Log distribution function at each row.
vector uniform_log_cumulative(vector y, real low, real high) {
  return uniform_log_part(y - low, low, high);
}

// Log probability of a larger number at each row.
vector uniform_log_survival(vector y, real low, real high) {
  return uniform_log_part(high - y, low, high);
}

// One draw for each of N rows.
vector uniform_emission_rng(int N, real low, real high) {
  return to_vector(uniform_rng(low + zeros_vector(N), high));
}

// One draw and one choice among A for each of N rows: columns y and choice.
matrix uniform_emission_rng(int N, int A, real low, real high) {
  vector[N] choice = 1 + floor(A * to_vector(uniform_rng(zeros_vector(N), 1)));
  return append_col(to_vector(uniform_rng(low + zeros_vector(N), high)), choice);
}
