"""Networks of other libraries as pairs (apply_fn, params). Each module needs its library; nothing else here does."""
