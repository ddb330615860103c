// y | cens(how, y_end) + trunc(-9, most) ~ mix(normal + student + skew_normal)
functions {
  // Log density of each row.
  vector normal_log_omega(vector y, real mu, real sigma) {
    return -0.5 * square((y - mu) ./ sigma) - (log(sigma) + 0.5 * log(2 * pi()));
  }

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

  // Log distribution function at each row.
  vector normal_log_cumulative(vector y, real mu, real sigma) {
    return log_erfc((mu - y) ./ (sqrt2() * sigma)) - log2();
  }

  // Log probability of more, at each row.
  vector normal_log_survival(vector y, real mu, real sigma) {
    return log_erfc((y - mu) ./ (sqrt2() * sigma)) - log2();
  }

  // Log density of each row; the beta function keeps its digits where nu is large.
  vector student_log_omega(vector y, real mu, real sigma, real nu) {
    return -0.5 * (nu + 1) .* log1p(square((y - mu) ./ sigma) ./ nu)
           - (log(sigma) + 0.5 * log(nu) + lbeta(0.5, 0.5 * nu));
  }

  // About where a function falls to 1/e that falls as exp(-slope * w - curvature * w^2 / 2).
  vector fall_length(vector slope, vector curvature) {
    return 2 ./ (slope + sqrt(square(slope) + 2 * curvature));
  }

  // Nodes and weights of the double exponential rule for what falls off exponentially from 0 to
  // infinity (Takahasi and Mori 1974). With scales fitted as below its error is below 1e-11; it is 1e-9
  // where a shape is 0.001, and grows from there.
  matrix exponential_rule() {
    vector[49] v = linspaced_vector(49, -3.3, 3.9);
    vector[49] node = exp(v - exp(-v));
    return append_col(node, 0.15 * node .* (1 + exp(-v)));
  }

  // Distances of every row, its length times each node: all rows for the first node, and so on.
  vector along_nodes(vector length) {
    return to_vector(length * exponential_rule()[, 1]');
  }

  // A value of every row at each node: all rows for the first node, then for the second, and so on.
  vector at_nodes(vector value) {
    return to_vector(rep_matrix(value, 49));
  }

  // Integrals of every row, from an integrand at the nodes, without the length of the row.
  vector sum_over_nodes(vector integrand) {
    return to_matrix(integrand, num_elements(integrand) %/% 49, 49) * exponential_rule()[, 2];
  }

  // 1 where x is positive, 0 elsewhere, without a branch.
  vector is_positive(vector x) {
    return ceil(0.5 * x ./ (1 + abs(x)));
  }

  // log(p) where side is at most 0, else log(1 - p) of the tail on the other side.
  vector log_of_nearer_tail(vector side, vector log_tail, vector log_other_tail) {
    vector[num_elements(side)] other = is_positive(side);
    return (1 - other) .* log_tail + other .* log1m_exp(fmin(log_other_tail, -1e-15));
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

  // Log distribution function at each row.
  vector student_log_cumulative(vector y, real mu, real sigma, real nu) {
    return log_student_below((y - mu) ./ sigma, nu + zeros_vector(num_elements(y)));
  }

  // Log probability of more, at each row.
  vector student_log_survival(vector y, real mu, real sigma, real nu) {
    return log_student_below((mu - y) ./ sigma, nu + zeros_vector(num_elements(y)));
  }

  // Log density of each row.
  vector skew_normal_log_omega(vector y, real mu, real sigma, real alpha) {
    return normal_log_omega(y, mu, sigma) + log_erfc(-alpha .* (y - mu) ./ (sqrt(2) * sigma));
  }

  // log(exp(x^2) * erfc(x)), without the squares of large x, which would cancel.
  vector log_scaled_erfc(vector x) {
    vector[num_elements(x)] beyond = excess_over_26(x);
    vector[num_elements(x)] near = x - beyond;
    return log(erfc(near)) + square(near)
           - log(inverse_scaled_erfc(26 + beyond)) + log(inverse_scaled_erfc([26]')[1]);
  }

  // Log probability beyond z, not below 0, of the distribution with alpha = -skew, not above 0. With
  // v = t * sqrt(1 + skew^2) and c = skew / sqrt(2 * (1 + skew^2)) its density 2 * phi(t) * Phi(-skew * t)
  // becomes exp(c^2 * v^2) * erfc(c * v) * phi(v) / sqrt(1 + skew^2), which falls off as phi does.
  vector skew_normal_log_light_tail(vector z, vector skew) {
    int N = num_elements(z);
    vector[N] root = sqrt(1 + square(skew));
    vector[N] start = z .* root;
    vector[N] c = skew ./ (sqrt(2) * root);
    vector[N] length = fall_length(start, ones_vector(N));
    vector[49 * N] on = along_nodes(length);
    vector[49 * N] from = at_nodes(start);
    vector[49 * N] cv = at_nodes(c) .* (from + on);
    vector[49 * N] ratio = exp(log_scaled_erfc(cv) - on .* (from + 0.5 * on));
    return log(sum_over_nodes(ratio) .* length ./ root) - 0.5 * square(start) - 0.5 * log(2 * pi());
  }

  // Log probability beyond z of the standard distribution. In the tail that alpha makes heavy it is that
  // of a normal distribution beyond z and -z, less the light tail, which is at most half of it. Below
  // 0, it is the light tail beyond -z and what lies between z and -z, which is as in a normal one.
  vector skew_normal_log_beyond(vector z, vector alpha) {
    int N = num_elements(z);
    vector[N] far = z .* (1 - 2 * is_positive(-z));
    vector[N] skew = alpha .* (2 * is_positive(alpha) - 1);
    vector[N] light = skew_normal_log_light_tail(far, skew);
    vector[N] both = log_erfc(far / sqrt(2));
    vector[N] beyond = light;
    for (n in 1:N) {
      if (alpha[n] > 0) {
        beyond[n] = z[n] < 0 ? log1m_exp(light[n]) : log_diff_exp(both[n], light[n]);
      } else if (z[n] < 0) {
        beyond[n] = log(erf(far[n] / sqrt(2)) + exp(light[n]));
      }
    }
    return beyond;
  }

  // Log distribution function at each row.
  vector skew_normal_log_cumulative(vector y, real mu, real sigma, real alpha) {
    vector[num_elements(y)] z = (mu - y) ./ sigma;
    vector[num_elements(y)] alphas = -alpha + zeros_vector(num_elements(y));
    return skew_normal_log_beyond(z, alphas);
  }

  // Log probability of more, at each row.
  vector skew_normal_log_survival(vector y, real mu, real sigma, real alpha) {
    vector[num_elements(y)] z = (y - mu) ./ sigma;
    vector[num_elements(y)] alphas = alpha + zeros_vector(num_elements(y));
    return skew_normal_log_beyond(z, alphas);
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

  // Log densities of N rows, of which only some have a value; the others say nothing.
  vector at_rows(vector log_density, array[] int rows, int N) {
    vector[N] all_rows = zeros_vector(N);
    all_rows[rows] = log_density;
    return all_rows;
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

  // The sum of log densities, minus infinity where -1e300 stands for that in one.
  real sum_log_density(vector log_density) {
    real total = sum(log_density);
    return total < -1e299 ? negative_infinity() : total;
  }

  // Log density of each observation under a mixture, the components summed out:
  // log(sum over k of weights[k] * exp(log_omega[k, n])).
  // log_sum_exp of two minus infinities has no gradient, so -1e300 stands in for the first.
  vector mixture_log_density(array[] vector log_omega, vector weights) {
    vector[num_elements(log_omega[1])] total = log(weights[1]) + log_omega[1];
    if (min(total) < -1e300) {
      total = fmax(total, -1e300);
    }
    for (k in 2:size(log_omega)) {
      total = log_sum_exp(total, log(weights[k]) + log_omega[k]);
    }
    return total;
  }
}
data {
  int<lower=1> N; // observations
  int<lower=1> K; // components
  vector[N] y;
  int<lower=0> N_exact_y; // rows where y is what it is
  array[N_exact_y] int<lower=1, upper=N> exact_y;
  int<lower=0> N_left_y; // rows where it is at most y
  array[N_left_y] int<lower=1, upper=N> left_y;
  int<lower=0> N_right_y; // rows where it is above y
  array[N_right_y] int<lower=1, upper=N> right_y;
  int<lower=0> N_interval_y; // rows where it is above y, up to end_y
  array[N_interval_y] int<lower=1, upper=N> interval_y;
  vector[N] end_y; // y_end
  real below_y; // y is only seen above this
  vector[N] upper_y; // y is only seen up to this
  real y_center; // median of y
  real y_scale; // standard deviation of y
  int<lower=0, upper=1> emit; // 1 to return log_omega
}
parameters {
  vector[K] mu;
  vector<lower=0>[K] sigma;
  real<lower=1> nu_2;
  real alpha_3;
  simplex[K] weights;
}
model {
  target += normal_lpdf(mu | y_center, 2.5 * y_scale);
  target += inv_gamma_lpdf(sigma | 3, y_scale);
  target += gamma_lpdf(nu_2 | 2, 0.1) - gamma_lccdf(1 | 2, 0.1);
  target += normal_lpdf(alpha_3 | 0, 4);
  target += dirichlet_lpdf(weights | rep_vector(2, K));

  array[K] vector[N] log_omega;
  log_omega[1] = given_seen(
                   at_rows(normal_log_omega(y[exact_y], mu[1], sigma[1]), exact_y, N)
                   + at_rows(log_between(
                     normal_log_cumulative(rep_vector(below_y, N_left_y), mu[1], sigma[1]),
                     normal_log_cumulative(y[left_y], mu[1], sigma[1]),
                     normal_log_survival(rep_vector(below_y, N_left_y), mu[1], sigma[1]),
                     normal_log_survival(y[left_y], mu[1], sigma[1])), left_y, N)
                   + at_rows(log_between(
                     normal_log_cumulative(y[right_y], mu[1], sigma[1]),
                     normal_log_cumulative(upper_y[right_y], mu[1], sigma[1]),
                     normal_log_survival(y[right_y], mu[1], sigma[1]),
                     normal_log_survival(upper_y[right_y], mu[1], sigma[1])), right_y, N)
                   + at_rows(log_between(
                     normal_log_cumulative(y[interval_y], mu[1], sigma[1]),
                     normal_log_cumulative(end_y[interval_y], mu[1], sigma[1]),
                     normal_log_survival(y[interval_y], mu[1], sigma[1]),
                     normal_log_survival(end_y[interval_y], mu[1], sigma[1])), interval_y, N),
                   log_between(
                     normal_log_cumulative(rep_vector(below_y, N), mu[1], sigma[1]),
                     normal_log_cumulative(upper_y, mu[1], sigma[1]),
                     normal_log_survival(rep_vector(below_y, N), mu[1], sigma[1]),
                     normal_log_survival(upper_y, mu[1], sigma[1])));
  log_omega[2] = given_seen(
                   at_rows(student_log_omega(y[exact_y], mu[2], sigma[2], nu_2), exact_y, N)
                   + at_rows(log_between(
                     student_log_cumulative(rep_vector(below_y, N_left_y), mu[2], sigma[2], nu_2),
                     student_log_cumulative(y[left_y], mu[2], sigma[2], nu_2),
                     student_log_survival(rep_vector(below_y, N_left_y), mu[2], sigma[2], nu_2),
                     student_log_survival(y[left_y], mu[2], sigma[2], nu_2)), left_y, N)
                   + at_rows(log_between(
                     student_log_cumulative(y[right_y], mu[2], sigma[2], nu_2),
                     student_log_cumulative(upper_y[right_y], mu[2], sigma[2], nu_2),
                     student_log_survival(y[right_y], mu[2], sigma[2], nu_2),
                     student_log_survival(upper_y[right_y], mu[2], sigma[2], nu_2)), right_y, N)
                   + at_rows(log_between(
                     student_log_cumulative(y[interval_y], mu[2], sigma[2], nu_2),
                     student_log_cumulative(end_y[interval_y], mu[2], sigma[2], nu_2),
                     student_log_survival(y[interval_y], mu[2], sigma[2], nu_2),
                     student_log_survival(end_y[interval_y], mu[2], sigma[2], nu_2)), interval_y, N),
                   log_between(
                     student_log_cumulative(rep_vector(below_y, N), mu[2], sigma[2], nu_2),
                     student_log_cumulative(upper_y, mu[2], sigma[2], nu_2),
                     student_log_survival(rep_vector(below_y, N), mu[2], sigma[2], nu_2),
                     student_log_survival(upper_y, mu[2], sigma[2], nu_2)));
  log_omega[3] = given_seen(
                   at_rows(skew_normal_log_omega(y[exact_y], mu[3], sigma[3], alpha_3), exact_y, N)
                   + at_rows(log_between(
                     skew_normal_log_cumulative(rep_vector(below_y, N_left_y), mu[3], sigma[3], alpha_3),
                     skew_normal_log_cumulative(y[left_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(rep_vector(below_y, N_left_y), mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(y[left_y], mu[3], sigma[3], alpha_3)), left_y, N)
                   + at_rows(log_between(
                     skew_normal_log_cumulative(y[right_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_cumulative(upper_y[right_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(y[right_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(upper_y[right_y], mu[3], sigma[3], alpha_3)), right_y, N)
                   + at_rows(log_between(
                     skew_normal_log_cumulative(y[interval_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_cumulative(end_y[interval_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(y[interval_y], mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(end_y[interval_y], mu[3], sigma[3], alpha_3)), interval_y, N),
                   log_between(
                     skew_normal_log_cumulative(rep_vector(below_y, N), mu[3], sigma[3], alpha_3),
                     skew_normal_log_cumulative(upper_y, mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(rep_vector(below_y, N), mu[3], sigma[3], alpha_3),
                     skew_normal_log_survival(upper_y, mu[3], sigma[3], alpha_3)));

  target += sum_log_density(mixture_log_density(log_omega, weights));
}
generated quantities {
  array[emit ? K : 0] vector[emit ? N : 0] log_omega;
  if (emit) {
    log_omega[1] = given_seen(
                     at_rows(normal_log_omega(y[exact_y], mu[1], sigma[1]), exact_y, N)
                     + at_rows(log_between(
                       normal_log_cumulative(rep_vector(below_y, N_left_y), mu[1], sigma[1]),
                       normal_log_cumulative(y[left_y], mu[1], sigma[1]),
                       normal_log_survival(rep_vector(below_y, N_left_y), mu[1], sigma[1]),
                       normal_log_survival(y[left_y], mu[1], sigma[1])), left_y, N)
                     + at_rows(log_between(
                       normal_log_cumulative(y[right_y], mu[1], sigma[1]),
                       normal_log_cumulative(upper_y[right_y], mu[1], sigma[1]),
                       normal_log_survival(y[right_y], mu[1], sigma[1]),
                       normal_log_survival(upper_y[right_y], mu[1], sigma[1])), right_y, N)
                     + at_rows(log_between(
                       normal_log_cumulative(y[interval_y], mu[1], sigma[1]),
                       normal_log_cumulative(end_y[interval_y], mu[1], sigma[1]),
                       normal_log_survival(y[interval_y], mu[1], sigma[1]),
                       normal_log_survival(end_y[interval_y], mu[1], sigma[1])), interval_y, N),
                     log_between(
                       normal_log_cumulative(rep_vector(below_y, N), mu[1], sigma[1]),
                       normal_log_cumulative(upper_y, mu[1], sigma[1]),
                       normal_log_survival(rep_vector(below_y, N), mu[1], sigma[1]),
                       normal_log_survival(upper_y, mu[1], sigma[1])));
    log_omega[2] = given_seen(
                     at_rows(student_log_omega(y[exact_y], mu[2], sigma[2], nu_2), exact_y, N)
                     + at_rows(log_between(
                       student_log_cumulative(rep_vector(below_y, N_left_y), mu[2], sigma[2], nu_2),
                       student_log_cumulative(y[left_y], mu[2], sigma[2], nu_2),
                       student_log_survival(rep_vector(below_y, N_left_y), mu[2], sigma[2], nu_2),
                       student_log_survival(y[left_y], mu[2], sigma[2], nu_2)), left_y, N)
                     + at_rows(log_between(
                       student_log_cumulative(y[right_y], mu[2], sigma[2], nu_2),
                       student_log_cumulative(upper_y[right_y], mu[2], sigma[2], nu_2),
                       student_log_survival(y[right_y], mu[2], sigma[2], nu_2),
                       student_log_survival(upper_y[right_y], mu[2], sigma[2], nu_2)), right_y, N)
                     + at_rows(log_between(
                       student_log_cumulative(y[interval_y], mu[2], sigma[2], nu_2),
                       student_log_cumulative(end_y[interval_y], mu[2], sigma[2], nu_2),
                       student_log_survival(y[interval_y], mu[2], sigma[2], nu_2),
                       student_log_survival(end_y[interval_y], mu[2], sigma[2], nu_2)), interval_y, N),
                     log_between(
                       student_log_cumulative(rep_vector(below_y, N), mu[2], sigma[2], nu_2),
                       student_log_cumulative(upper_y, mu[2], sigma[2], nu_2),
                       student_log_survival(rep_vector(below_y, N), mu[2], sigma[2], nu_2),
                       student_log_survival(upper_y, mu[2], sigma[2], nu_2)));
    log_omega[3] = given_seen(
                     at_rows(skew_normal_log_omega(y[exact_y], mu[3], sigma[3], alpha_3), exact_y, N)
                     + at_rows(log_between(
                       skew_normal_log_cumulative(rep_vector(below_y, N_left_y), mu[3], sigma[3], alpha_3),
                       skew_normal_log_cumulative(y[left_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(rep_vector(below_y, N_left_y), mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(y[left_y], mu[3], sigma[3], alpha_3)), left_y, N)
                     + at_rows(log_between(
                       skew_normal_log_cumulative(y[right_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_cumulative(upper_y[right_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(y[right_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(upper_y[right_y], mu[3], sigma[3], alpha_3)), right_y, N)
                     + at_rows(log_between(
                       skew_normal_log_cumulative(y[interval_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_cumulative(end_y[interval_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(y[interval_y], mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(end_y[interval_y], mu[3], sigma[3], alpha_3)), interval_y, N),
                     log_between(
                       skew_normal_log_cumulative(rep_vector(below_y, N), mu[3], sigma[3], alpha_3),
                       skew_normal_log_cumulative(upper_y, mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(rep_vector(below_y, N), mu[3], sigma[3], alpha_3),
                       skew_normal_log_survival(upper_y, mu[3], sigma[3], alpha_3)));
  }
}
