// An increasing vector between two bounds, from its increasing logits.
vector ordered_between(vector logits, real low, real high) {
  return low + (high - low) * inv_logit(logits);
}

// Log absolute derivative of ordered_between.
real ordered_between_log_derivative(vector logits, real low, real high) {
  return num_elements(logits) * log(high - low)
         + sum(log_inv_logit(logits)) + sum(log1m_inv_logit(logits));
}

// Vectors, one a component: element `place` from `increasing`, the others from `rest`.
array[] vector insert_ordered(vector increasing, array[] vector rest, int place) {
  int K = num_elements(increasing);
  int D = num_elements(rest[1]) + 1;
  array[K] vector[D] whole;
  for (k in 1:K) {
    whole[k] = append_row(append_row(head(rest[k], place - 1), increasing[k]),
                          tail(rest[k], D - place));
  }
  return whole;
}
