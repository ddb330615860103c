// Every type of real parameters, with and without arrays and bounds; some of size zero.
data {
  int<lower=1> K;
  int<lower=0> none;
}
parameters {
  real free;
  real<lower=-1> above;
  real<upper=2> below;
  real<lower=0, upper=3> between;
  real<offset=1, multiplier=2> scaled;
  vector[K] v;
  row_vector<lower=0>[K] rv;
  matrix<lower=0, upper=1>[2, K] m;
  simplex[K] w;
  unit_vector[K] u;
  ordered[K] o;
  positive_ordered[K] po;
  cholesky_factor_corr[3] L;
  cholesky_factor_cov[3, 2] C;
  corr_matrix[3] R;
  cov_matrix[2] S;
  array[2, 3] real a;
  array[2] simplex[3] aw;
  array[2] matrix[2, 3] am;
  vector[none] empty;
  array[none, 2] real empties;
}
transformed parameters {
  vector[K] log_w = log(w);
}
model {
  target += std_normal_lpdf(free);
  target += exponential_lpdf(above + 1 | 1);
  target += exponential_lpdf(2 - below | 1);
  target += normal_lpdf(scaled | 1, 2);
  target += std_normal_lpdf(v);
  target += exponential_lpdf(rv | 1);
  target += dirichlet_lpdf(w | rep_vector(2, K));
  target += std_normal_lpdf(o);
  target += exponential_lpdf(po | 1);
  target += lkj_corr_cholesky_lpdf(L | 2);
  target += std_normal_lpdf(to_vector(C));
  target += lkj_corr_lpdf(R | 2);
  target += wishart_lpdf(S | 4, identity_matrix(2));
  for (i in 1 : 2) {
    target += std_normal_lpdf(a[i]);
    target += std_normal_lpdf(to_vector(am[i]));
  }
}
generated quantities {
  real sum_v = sum(v);
  real noise = normal_rng(0, 1);
  array[2] matrix[2, 3] twice = {2 * am[1], 2 * am[2]};
}
