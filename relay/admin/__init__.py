"""What operators do: the acts, how they are asked for, and that they are kept."""
