// How far x is above 26, where erfc(x) nears underflow. abs costs a fraction of fmax here.
vector excess_over_26(vector x) {
  vector[num_elements(x)] over = x - 26;
  return 0.5 * (abs(over) + over);
}

// exp(-x^2) / (sqrt(pi) * erfc(x)) for x >= 26, by the continued fraction of erfc.
vector inverse_scaled_erfc(vector x) {
  return x + 0.5 ./ (x + 1 ./ (x + 1.5 ./ x));
}

// log(erfc(x)). Beyond 26, where erfc nears underflow, its ratio to erfc(26) is put in as a factor.
vector log_erfc(vector x) {
  vector[num_elements(x)] beyond = excess_over_26(x);
  return log(erfc(x - beyond)) - beyond .* (beyond + 52)
         - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
}

// log(exp(x^2) * erfc(x)), without the squares of large x, which would cancel.
vector log_scaled_erfc(vector x) {
  vector[num_elements(x)] beyond = excess_over_26(x);
  vector[num_elements(x)] near = x - beyond;
  return log(erfc(near)) + square(near)
         - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
}
