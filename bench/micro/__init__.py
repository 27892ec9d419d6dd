"""Small benchmarks: one operation of the engine against the best its peer can do."""
