// The places of the ones.
array[] int which(array[] int is) {
  array[sum(is)] int places;
  int found = 0;
  for (i in 1:size(is)) {
    if (is[i]) {
      found += 1;
      places[found] = i;
    }
  }
  return places;
}

// How often a value stands in a list.
int count_of(array[] int values, int value) {
  int count = 0;
  for (v in values) {
    count += v == value;
  }
  return count;
}

// Where a value stands in a list.
array[] int places_of(array[] int values, int value) {
  array[count_of(values, value)] int places;
  int found = 0;
  for (i in 1:size(values)) {
    if (values[i] == value) {
      found += 1;
      places[found] = i;
    }
  }
  return places;
}
