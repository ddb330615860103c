"""The referee: whether the posterior of another tool is the posterior."""
