"""`python -m relay` is `yjs-relay`."""

from relay.cli import main

main(prog_name="yjs-relay")
