// Log densities of units, whose rows share a state: sums over the rows of each unit.
array[] vector sum_units(array[] vector log_omega, array[] int unit_size) {
  array[size(log_omega)] vector[size(unit_size)] total;
  for (k in 1:size(log_omega)) {
    int start = 1;
    for (u in 1:size(unit_size)) {
      total[k][u] = sum(segment(log_omega[k], start, unit_size[u]));
      start += unit_size[u];
    }
  }
  return total;
}

// Log densities of N rows, of which only some have a value; the others say nothing.
vector at_rows(vector log_density, array[] int rows, int N) {
  vector[N] all_rows = zeros_vector(N);
  all_rows[rows] = log_density;
  return all_rows;
}

// Log densities of rows that count several times each.
array[] vector repeat_rows(array[] vector log_omega, vector freq) {
  array[size(log_omega)] vector[num_elements(freq)] repeated;
  for (k in 1:size(log_omega)) {
    repeated[k] = freq .* log_omega[k];
  }
  return repeated;
}

// Log densities with minus infinity in the states that are known not to be: possible[k, n] is 0.
array[] vector keep_possible(array[] vector log_omega, array[,] int possible) {
  array[size(log_omega)] vector[num_elements(log_omega[1])] kept;
  for (k in 1:size(log_omega)) {
    kept[k] = log_omega[k] + log(to_vector(possible[k]));
  }
  return kept;
}
