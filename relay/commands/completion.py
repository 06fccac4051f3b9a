"""`yjs-relay completion`: the script that lets a shell complete commands and names."""

import click
from click.shell_completion import get_completion_class

_PROGRAM = "yjs-relay"
_VARIABLE = "_YJS_RELAY_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete commands, options and documents.

    \b
    bash: yjs-relay completion bash >~/.local/share/bash-completion/completions/yjs-relay
    zsh:  yjs-relay completion zsh >"${fpath[1]}/_yjs-relay"
    fish: yjs-relay completion fish >~/.config/fish/completions/yjs-relay.fish

    Documents are completed from the store that --store, the environment or --config names; a
    name that a shell would take for something else is not offered.
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows it"
    click.echo(found(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
