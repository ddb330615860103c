// The angle of a direction in the plane, between -pi and pi.
real angle(vector direction) {
  return atan2(direction[2], direction[1]);
}

// Uniform distribution of the angle of a direction, whose length is about 1 and says nothing. With a
// standard normal one, as unit vectors have in Stan, chains diverge near length 0 where the angle is
// known well.
real direction_lpdf(vector direction) {
  real size = sqrt(dot_self(direction));
  return normal_lpdf(size | 1, 0.1) - log(2 * pi() * size);
}
