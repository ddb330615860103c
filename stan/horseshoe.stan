// What multiplies standard normal coefficients under a regularised horseshoe prior (Piironen and
// Vehtari 2017): a local scale times the global one, which a slab of a squared width bounds.
vector horseshoe_width(vector local, real global, real slab) {
  vector[num_elements(local)] free = global * local;
  return free ./ sqrt(1 + square(free) / slab);
}
