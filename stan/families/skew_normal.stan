// Skew normal distribution of Azzalini: location mu, scale sigma, shape alpha, whose sign is that of
// the skewness.

// Log density of each row.
vector skew_normal_log_omega(vector y, real mu, real sigma, real alpha) {
  return normal_log_omega(y, mu, sigma) + log_erfc(-alpha .* (y - mu) ./ (sqrt(2) * sigma));
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

// One draw for each of N rows: two normal variables, the size of one of which counts.
vector skew_normal_emission_rng(int N, real mu, real sigma, real alpha) {
  vector[N] size_of = abs(normal_emission_rng(N, 0, 1));
  return mu + sigma * (alpha * size_of + normal_emission_rng(N, 0, 1)) / sqrt(1 + square(alpha));
}
