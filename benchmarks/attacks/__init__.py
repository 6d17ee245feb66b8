"""Broken and hostile input for every reader, and trouble of the machine for whole studies."""
