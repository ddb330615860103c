// Von Mises distribution of angles: mean direction mu, concentration kappa.

// Log density of each row, over a full turn.
vector von_mises_log_omega(vector y, real mu, real kappa) {
  return kappa .* cos(y - mu) - log(2 * pi()) - log_modified_bessel_first_kind(0, kappa);
}

// One draw for each of N rows, by the rejection of Best and Fisher (1979). Of 60 proposals the first
// that is accepted counts; each is with a probability of at least 0.65.
vector von_mises_emission_rng(int N, real mu, real kappa) {
  vector[N] tau = 1 + sqrt(1 + 4 * square(kappa)) + zeros_vector(N);
  vector[N] rho = (tau - sqrt(2 * tau)) ./ (2 * kappa);
  vector[N] r = (1 + square(rho)) ./ (2 * rho);
  vector[N] turn = zeros_vector(N);
  vector[N] open = ones_vector(N);
  for (proposal in 1:60) {
    vector[N] z = cos(pi() * to_vector(uniform_rng(zeros_vector(N), 1)));
    vector[N] f = (1 + r .* z) ./ (r + z);
    vector[N] c = kappa .* (r - f);
    vector[N] accept = is_positive(log(c) - log(to_vector(uniform_rng(zeros_vector(N), 1))) + 1 - c);
    vector[N] side = 2 * is_positive(to_vector(uniform_rng(zeros_vector(N), 1)) - 0.5) - 1;
    turn += open .* accept .* side .* acos(f);
    open = open .* (1 - accept);
  }
  vector[N] whole = mu + turn;
  return whole - 2 * pi() * floor((whole + pi()) / (2 * pi()));
}
