// Lognormal distribution: log(y) is normal with location mu and standard deviation sigma.

// x where it is positive, 1 elsewhere: arguments at which a density and its gradient are finite,
// for rows that `restrict_to_positive` then takes out. (stanli cannot make a branch that depends on
// a parameter where there are no rows.)
vector positive_or_one(vector x) {
  vector[num_elements(x)] positive = x;
  if (num_elements(x) > 0 && min(x) <= 0) {
    for (n in 1:num_elements(x)) {
      if (x[n] <= 0) {
        positive[n] = 1;
      }
    }
  }
  return positive;
}

// The log density where x is positive, minus infinity elsewhere.
vector restrict_to_positive(vector log_density, vector x) {
  vector[num_elements(x)] restricted = log_density;
  if (num_elements(x) > 0 && min(x) <= 0) {
    for (n in 1:num_elements(x)) {
      if (x[n] <= 0) {
        restricted[n] = negative_infinity();
      }
    }
  }
  return restricted;
}

// The log probability of being above x where that is positive, 0 elsewhere, where it is certain.
vector certain_unless_positive(vector log_probability, vector x) {
  vector[num_elements(x)] probable = log_probability;
  if (num_elements(x) > 0 && min(x) <= 0) {
    for (n in 1:num_elements(x)) {
      if (x[n] <= 0) {
        probable[n] = 0;
      }
    }
  }
  return probable;
}

// Log density of each row; minus infinity unless y is positive.
vector lognormal_log_omega(vector y, real mu, real sigma) {
  return restrict_to_positive(
    normal_log_omega(log(positive_or_one(y)), mu, sigma) - log(positive_or_one(y)), y);
}

// Log distribution function at each row.
vector lognormal_log_cumulative(vector y, real mu, real sigma) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  return restrict_to_positive(normal_log_cumulative(log_y, mu, sigma), y);
}

// Log probability of more, at each row.
vector lognormal_log_survival(vector y, real mu, real sigma) {
  vector[num_elements(y)] log_y = log(positive_or_one(y));
  return certain_unless_positive(normal_log_survival(log_y, mu, sigma), y);
}

// One draw for each of N rows.
vector lognormal_emission_rng(int N, real mu, real sigma) {
  return exp(normal_emission_rng(N, mu, sigma));
}
