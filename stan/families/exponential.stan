// Exponential distribution with a rate.

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

// The log probability of being above x where that is not negative, 0 elsewhere, where it is certain.
vector certain_unless_nonnegative(vector log_probability, vector x) {
  vector[num_elements(x)] probable = log_probability;
  if (min(x) < 0) {
    for (n in 1:num_elements(x)) {
      if (x[n] < 0) {
        probable[n] = 0;
      }
    }
  }
  return probable;
}

// Log density of each row; minus infinity where y is negative.
vector exponential_log_omega(vector y, real rate) {
  return restrict_to_nonnegative(log(rate) - rate .* y, y);
}

// Log distribution function at each row.
vector exponential_log_cumulative(vector y, real rate) {
  return restrict_to_positive(log1m_exp(-rate .* positive_or_one(y)), y);
}

// Log probability of more, at each row.
vector exponential_log_survival(vector y, real rate) {
  return certain_unless_positive(-rate .* y, y);
}

// One draw for each of N rows.
vector exponential_emission_rng(int N, real rate) {
  return to_vector(exponential_rng(rate + zeros_vector(N)));
}
