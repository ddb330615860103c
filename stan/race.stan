// Races of accumulators.

// For each row the value of the accumulator that comes `after` the chosen one in a circle.
vector of_accumulator(vector values, array[] int choice, int after) {
  return segment(append_row(values, values), 1 + after, num_elements(values))[choice];
}

// For each row the value, of its own column, of the accumulator that comes `after` the chosen one in
// a circle.
vector of_accumulator(matrix values, array[] int choice, int after) {
  int A = rows(values);
  vector[size(choice)] picked = zeros_vector(size(choice));
  for (a in 1:A) {
    array[size(choice)] int is_a;
    for (n in 1:size(choice)) {
      is_a[n] = (choice[n] + after - 1) % A + 1 == a;
    }
    picked += to_vector(is_a) .* values[a]';
  }
  return picked;
}

// Of the times at which accumulators finish, a column for each: the first of each row, and whose.
matrix first_to_finish(matrix times) {
  vector[rows(times)] first = times[, 1];
  vector[rows(times)] choice = rep_vector(1, rows(times));
  for (a in 2:cols(times)) {
    choice += is_positive(first - times[, a]) .* (a - choice);
    first = fmin(first, times[, a]);
  }
  return append_col(first, choice);
}
