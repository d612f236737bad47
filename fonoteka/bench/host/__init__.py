"""Time the C++ front end of a host, and the five causal models with it."""
