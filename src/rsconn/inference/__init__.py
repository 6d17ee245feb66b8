"""Arrays in, frozen results out: estimators, permutation, families, Bayes factors, power."""
