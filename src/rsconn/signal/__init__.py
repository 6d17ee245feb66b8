"""Arrays in, arrays or frozen results out: weights, extraction, projection, connectivity, quality."""
