"""What every backend keeps: one suite, run over each of them."""
