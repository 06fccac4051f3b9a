"""The parts of tools/attack_relay."""
