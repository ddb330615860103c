// Tail probabilities without a closed form: incomplete gamma and beta functions and Student's t.
// Stan's own have gradients that are wrong by percents or NaN, and logs that end at 1e-308. Here the
// density is integrated outwards from where the tail begins, with itself there taken out, so that
// nothing underflows; the other side of the mode is what is left to 1.

// Nodes and weights of the double exponential rule for what falls off exponentially from 0 to
// infinity (Takahasi and Mori 1974). With scales fitted as below its error is below 1e-11; it is 1e-9
// where a shape is 0.001, and grows from there.
matrix exponential_rule() {
  vector[49] v = linspaced_vector(49, -3.3, 3.9);
  vector[49] node = exp(v - exp(-v));
  return append_col(node, 0.15 * node .* (1 + exp(-v)));
}

// About where a function falls to 1/e that falls as exp(-slope * w - curvature * w^2 / 2).
vector fall_length(vector slope, vector curvature) {
  return 2 ./ (slope + sqrt(square(slope) + 2 * curvature));
}

// A value of every row at each node: all rows for the first node, then for the second, and so on.
vector at_nodes(vector value) {
  return to_vector(rep_matrix(value, 49));
}

// Distances of every row, its length times each node: all rows for the first node, and so on.
vector along_nodes(vector length) {
  return to_vector(length * exponential_rule()[, 1]');
}

// Integrals of every row, from an integrand at the nodes, without the length of the row.
vector sum_over_nodes(vector integrand) {
  return to_matrix(integrand, num_elements(integrand) %/% 49, 49) * exponential_rule()[, 2];
}

// log(p) where side is at most 0, else log(1 - p) of the tail on the other side.
vector log_of_nearer_tail(vector side, vector log_tail, vector log_other_tail) {
  vector[num_elements(side)] other = is_positive(side);
  return (1 - other) .* log_tail + other .* log1m_exp(fmin(log_other_tail, -1e-15));
}

// Log probability that a gamma variable with a shape and rate 1 is below x, for x up to the shape.
vector log_gamma_left(vector x, vector shape) {
  int N = num_elements(x);
  vector[N] length = fmax(fall_length(shape - x, x), inv(shape));
  vector[49 * N] w = along_nodes(length); // log(x / variable)
  vector[49 * N] ratio = exp(-at_nodes(shape) .* w - at_nodes(x) .* expm1(-w));
  return shape .* log(x) - x - lgamma(shape) + log(length) + log(sum_over_nodes(ratio));
}

// Log probability that a gamma variable with a shape and rate 1 is above x, from the shape on.
vector log_gamma_right(vector x, vector shape) {
  int N = num_elements(x);
  vector[N] length = fall_length(fmin(1 - (shape - 1) ./ x, 1), fmax(shape - 1, 0) ./ square(x));
  vector[49 * N] w = along_nodes(length); // variable - x
  vector[49 * N] ratio = exp(at_nodes(shape - 1) .* log1p(w ./ at_nodes(x)) - w);
  return (shape - 1) .* log(x) - x - lgamma(shape) + log(length) + log(sum_over_nodes(ratio));
}

// Log probability that a gamma variable with a shape and rate 1 is below x.
vector log_gamma_below(vector x, vector shape) {
  return log_of_nearer_tail(x - shape, log_gamma_left(fmin(x, shape), shape),
                            log_gamma_right(fmax(x, shape), shape));
}

// Log probability that a gamma variable with a shape and rate 1 is above x.
vector log_gamma_above(vector x, vector shape) {
  return log_of_nearer_tail(shape - x, log_gamma_right(fmax(x, shape), shape),
                            log_gamma_left(fmin(x, shape), shape));
}

// Log probability that a beta variable has log odds below a number, for log odds up to log(a / b).
vector log_beta_left(vector log_odds, vector a, vector b) {
  int N = num_elements(log_odds);
  vector[N] odds = exp(log_odds);
  vector[N] length = fmax(fall_length(fmin(a - (b - 1) .* odds, a),
                                      fmax(b - 1, 0) .* odds .* (1 + odds)), inv(a));
  vector[49 * N] w = along_nodes(length); // log(x / variable), x with these odds
  vector[49 * N] ratio
    = exp(at_nodes(b - 1) .* log1p(-at_nodes(odds) .* expm1(-w)) - at_nodes(a) .* w);
  return -a .* log1p_exp(-log_odds) - (b - 1) .* log1p_exp(log_odds) - lbeta(a, b)
         + log(length) + log(sum_over_nodes(ratio));
}

// Log probability that a beta variable has log odds below a number. That they are above it is the
// same for their negative, with a and b exchanged.
vector log_beta_below(vector log_odds, vector a, vector b) {
  vector[num_elements(a)] middle = log(a) - log(b);
  return log_of_nearer_tail(log_odds - middle, log_beta_left(fmin(log_odds, middle), a, b),
                            log_beta_left(-fmax(log_odds, middle), b, a));
}

// Log probability that Student's t with nu degrees of freedom is below z: over asinh(t / sqrt(nu)),
// whose density falls off exponentially.
vector log_student_below(vector z, vector nu) {
  int N = num_elements(z);
  vector[N] start = asinh(abs(z) ./ sqrt(nu));
  vector[N] length = fall_length(nu .* tanh(start), nu ./ (1 + square(z) ./ nu));
  vector[49 * N] w = along_nodes(length);
  vector[49 * N] ratio
    = exp(at_nodes(nu) .* (at_nodes(log1p_exp(-2 * start)) - log1p_exp(-2 * (at_nodes(start) + w))
                           - w));
  vector[N] tail = -nu .* (start + log1p_exp(-2 * start) - log2()) - lbeta(0.5, 0.5 * nu)
                   + log(length) + log(sum_over_nodes(ratio));
  return log_of_nearer_tail(z, tail, tail);
}

// Minus infinity where -1e300 stands for that, since it has no gradient.
vector infinite_again(vector log_probability) {
  vector[num_elements(log_probability)] infinite = log_probability;
  if (min(log_probability) < -1e299) {
    for (n in 1:num_elements(log_probability)) {
      if (log_probability[n] < -1e299) {
        infinite[n] = negative_infinity();
      }
    }
  }
  return infinite;
}

// Log probability of lying between two values, from the log probabilities of lying below and above
// each: in the upper half from those above, where those below would cancel.
vector log_between(vector below_lower, vector below_upper, vector above_lower,
                   vector above_upper) {
  int N = num_elements(below_lower);
  vector[N] under = fmax(below_lower, -1e300);
  vector[N] over = fmax(above_upper, -1e300);
  vector[N] is_high = is_positive(under - over);
  vector[N] whole = is_high .* fmax(above_lower, -1e300) + (1 - is_high) .* fmax(below_upper, -1e300);
  vector[N] rest = is_high .* over + (1 - is_high) .* under;
  return infinite_again(whole + log1m_exp(fmin(rest - whole, -1e-16)));
}

// Log density of rows of which each is seen with a probability: minus infinity where that is 0.
vector given_seen(vector log_density, vector log_seen) {
  vector[num_elements(log_density)] conditional = log_density - fmax(log_seen, -1e300);
  if (min(log_seen) < -1e299) {
    for (n in 1:num_elements(log_density)) {
      if (log_seen[n] < -1e299) {
        conditional[n] = negative_infinity();
      }
    }
  }
  return conditional;
}

// Log density of rows that are all seen with the same probability: minus infinity where that is 0.
vector given_seen(vector log_density, real log_seen) {
  return log_density - (log_seen < -1e299 ? positive_infinity() : log_seen);
}
