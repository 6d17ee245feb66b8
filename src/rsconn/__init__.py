"""Test, claim by claim, what a resting-state connectivity study said, on your data."""

__version__ = "0.1.0"
