"""What tools/fuzz_relay is made of: hostile clients, honest ones beside them, and the judges."""
