// Log mass of counts that are 0 with probability zi whatever the distribution says, and else follow
// it; log_mass is what it says.
vector inflate_zeros(array[] int y, vector log_mass, real zi) {
  vector[size(y)] log_zi = log(zi) + zeros_vector(size(y));
  vector[size(y)] inflated = log_mass + log1m(zi);
  for (n in 1:size(y)) {
    if (y[n] == 0) {
      inflated[n] = log_sum_exp(log_zi[n], inflated[n]);
    }
  }
  return inflated;
}

// Log distribution function of counts that are 0 with probability zi, and else as log_cumulative says.
vector inflate_zeros_cumulative(array[] int y, vector log_cumulative, real zi) {
  vector[size(y)] log_zi = log(zi) + zeros_vector(size(y));
  return restrict_to_nonnegative(log_sum_exp(log_zi, log_cumulative + log1m(zi)), to_vector(y));
}

// Counts, with 0 in the place of each with probability zi.
array[] int inflate_zeros_rng(array[] int y, real zi) {
  array[size(y)] int is_zero = bernoulli_rng(zi + zeros_vector(size(y)));
  array[size(y)] int inflated = y;
  for (n in 1:size(y)) {
    inflated[n] = y[n] * (1 - is_zero[n]);
  }
  return inflated;
}

// Log mass of counts that are 0 with probability hu, and else follow a distribution where it is not
// 0; log_mass is what that says of each row, and log_zero of a 0.
vector hurdle(array[] int y, vector log_mass, real log_zero, real hu) {
  vector[size(y)] log_hu = log(hu) + zeros_vector(size(y));
  vector[size(y)] over = log_mass + (log1m(hu) - log1m_exp(log_zero));
  for (n in 1:size(y)) {
    if (y[n] == 0) {
      over[n] = log_hu[n];
    }
  }
  return over;
}

// Log distribution function of counts that are 0 with probability hu, and else as log_cumulative says
// of those that are not 0; log_zero is what it says of a 0. Logs near 0 keep the digits of rare counts.
vector hurdle_cumulative(array[] int y, vector log_cumulative, real log_zero, real hu) {
  vector[size(y)] zero = log_zero + zeros_vector(size(y));
  vector[size(y)] upto = log(hu) + zeros_vector(size(y));
  vector[size(y)] over = log1m(hu) - log1m_exp(zero);
  for (n in 1:size(y)) {
    if (y[n] > 0 && log_cumulative[n] > zero[n]) {
      upto[n] = log_sum_exp(upto[n], over[n] + log_diff_exp(log_cumulative[n], zero[n]));
    }
  }
  return restrict_to_nonnegative(upto, to_vector(y));
}

// Log probability of more than y for such counts; log_survival says it of those that may be 0.
vector hurdle_survival(array[] int y, vector log_survival, real log_zero, real hu) {
  return certain_unless_nonnegative(
    log1m(hu) - log1m_exp(log_zero) + log_survival, to_vector(y));
}
