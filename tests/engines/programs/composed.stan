// Parameters of more than one part: complex numbers and tuples.
parameters {
  complex z;
  complex_vector[2] zv;
  tuple(real<lower=0>, simplex[3], array[2] vector[2]) t;
  array[2] tuple(real, ordered[2]) at;
}
model {
  target += std_normal_lpdf({get_real(z), get_imag(z)});
  target += exponential_lpdf(t.1 | 1);
  for (i in 1 : 2) {
    target += std_normal_lpdf({get_real(zv[i]), get_imag(zv[i])});
    target += std_normal_lpdf(t.3[i]);
    target += std_normal_lpdf(at[i].1);
    target += std_normal_lpdf(at[i].2);
  }
}
generated quantities {
  real twice = 2 * t.1;
  tuple(real, vector[3]) parts = (t.1, t.2);
}
