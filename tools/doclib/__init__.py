"""Makes the descriptions that are made of the code."""
