"""The debug endpoint: what is stored and how it fares, for people and programs; read only."""
