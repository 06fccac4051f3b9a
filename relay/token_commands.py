"""`yjs-relay token`: makes static tokens."""

import json

import click

from relay.auth.credentials import credential_hash
from relay.auth.grants import check_user
from relay.auth.scope import Scope, ScopeRefused
from relay.clock import make_secret
from relay.commands.place import json_option
from yjs_store import Permission


@click.group()
def token() -> None:
    """Make tokens for `serve --auth token`."""


@token.command()
@click.argument("user")
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENT...")
@click.option(
    "--permission",
    type=click.Choice([permission.value for permission in Permission]),
    default=Permission.WRITE.value,
    show_default=True,
)
@json_option("the entry and the token itself")
def new(user: str, documents: tuple[str, ...], permission: str, as_json: bool) -> None:
    """Print a new token for USER, and the entry for the token file, which has only its hash.

    DOCUMENT is a name, a prefix (notes/*) or * for all.

    \b
    yjs-relay token new ann todo 'notes/*' >>tokens.toml

    \b
    Exit status: 0 done, 2 wrong usage.
    """
    try:
        check_user(user)
        Scope.parse(documents)
    except (ScopeRefused, ValueError) as error:
        raise click.UsageError(str(error)) from error
    secret = make_secret()
    if as_json:
        entry = {
            "user": user,
            "token_sha256": credential_hash(secret).hex(),
            "documents": list(documents),
            "permission": permission,
        }
        click.echo(json.dumps({"token": secret, "entry": entry}))
        return
    # To the terminal, so that the entry alone goes into a file.
    click.echo(f"The token, which is shown only now: {secret}", err=True)
    click.echo("[[tokens]]")
    click.echo(f"user = {_toml(user)}")
    click.echo(f'token_sha256 = "{credential_hash(secret).hex()}"')
    click.echo(f"documents = [{', '.join(map(_toml, documents))}]")
    click.echo(f'permission = "{permission}"')


def _toml(text: str) -> str:
    # A printable string in JSON is one in TOML.
    return json.dumps(text, ensure_ascii=False)
