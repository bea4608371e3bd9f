"""What the variables and the YAML mean: the reference reading."""
