"""Simulated studies with known truth, shared by the demo, the tests and the calibration."""
