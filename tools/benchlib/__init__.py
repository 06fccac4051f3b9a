"""What the benchmarks share: a black-box server, cheap clients, floors, checks, reports."""
