"""What tools/crash_loop is made of: clients that survive, cycles of kills, checks, a summary."""
