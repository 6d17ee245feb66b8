"""The door for rules: paths in, paths out; each step shares its name with a rule and a script."""
