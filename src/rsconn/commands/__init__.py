"""What people call by name and is no rule: check, run, demo, score, power, register, regions from maps."""
