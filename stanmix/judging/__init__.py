"""The referee, `sm.referee`: whether the posterior of another tool is the posterior."""
