// LKJ prior of a correlation matrix with Cholesky factor L, times exp(-guard * trace(inverse)).
// LKJ alone lets the smallest eigenvalue reach 0, where collinear rows make the likelihood infinite.
// Not normalised in eta and guard.
real guarded_lkj_lpdf(matrix L, real eta, real guard) {
  int D = rows(L);
  return lkj_corr_cholesky_lpdf(L | eta)
         - guard * sum(square(mdivide_left_tri_low(L, identity_matrix(D))));
}
