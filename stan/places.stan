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
