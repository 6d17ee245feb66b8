"""What `benchmarks/calibrate.py` is made of."""
