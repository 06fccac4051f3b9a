"""What tools/crash_loop and tools/crash_matrix are made of; the matrix itself is a test's."""
