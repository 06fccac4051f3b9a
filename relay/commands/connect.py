"""`yjs-relay connect`: a document in the terminal, to try a server by hand."""

import asyncio
from pathlib import Path

import click

from relay.client import ClientError, follow_document, send_text


@click.command()
@click.argument("url")
@click.argument("document")
@click.option("--send", "text", metavar="TEXT", help="Append TEXT instead of following.")
@click.option("--root", default="text", show_default=True, help="The shared text to append to.")
@click.option("--token", help="Who you are; other users of this computer can see it.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with that token alone.",
)
def connect(
    url: str,
    document: str,
    text: str | None,
    root: str,
    token: str | None,
    token_file: Path | None,
) -> None:
    """Print a document and follow it live, or append to one of its texts.

    \b
    yjs-relay connect ws://127.0.0.1:1234 my-notes
    yjs-relay connect ws://127.0.0.1:1234 my-notes --send "hello "

    \b
    Exit status: 0 done, 1 it cannot be reached or the server closed the connection, 2 wrong usage.
    """
    if token is not None and token_file is not None:
        raise click.UsageError("give --token or --token-file, not both")
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
    try:
        if text is None:
            asyncio.run(follow_document(url, document, click.echo, token))
        else:
            asyncio.run(send_text(url, document, root, text, token))
            click.echo("stored")
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo()
