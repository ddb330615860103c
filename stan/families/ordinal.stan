// Ordinal distribution (cumulative logit): the categories 1 to C lie between the elements of cutpoint,
// and a logistic variable about mu falls into one of them.

// The upper end of the category of each row.
vector upper_end(array[] int y, vector cutpoint) {
  return append_row(cutpoint, positive_infinity())[y];
}

// The lower end of the category of each row.
vector lower_end(array[] int y, vector cutpoint) {
  return append_row(negative_infinity(), cutpoint)[y];
}

// Log mass of each row: with ends a < b less mu, inv_logit(b) - inv_logit(a) is
// inv_logit(b) * inv_logit(-a) * (1 - exp(a - b)), where nothing cancels.
vector ordinal_log_omega(array[] int y, int C, vector cutpoint, real mu) {
  vector[C - 2] inner = log1m_exp(head(cutpoint, C - 2) - tail(cutpoint, C - 2));
  return log_inv_logit(upper_end(y, cutpoint) - mu) + log_inv_logit(mu - lower_end(y, cutpoint))
         + append_row(append_row(0, inner), 0)[y];
}

// Log distribution function at each row.
vector ordinal_log_cumulative(array[] int y, int C, vector cutpoint, real mu) {
  return log_inv_logit(upper_end(y, cutpoint) - mu);
}

// Log probability of a higher category at each row.
vector ordinal_log_survival(array[] int y, int C, vector cutpoint, real mu) {
  return log_inv_logit(mu - upper_end(y, cutpoint));
}

// One draw for each of N rows: how many cutpoints lie below the variable.
array[] int ordinal_emission_rng(int N, int C, vector cutpoint, real mu) {
  vector[N] variable = to_vector(logistic_rng(rep_vector(mu, N), 1));
  array[N] int category = rep_array(1, N);
  for (c in 1:(C - 1)) {
    for (n in 1:N) {
      category[n] += variable[n] > cutpoint[c];
    }
  }
  return category;
}
