"""A shell completes commands and documents, and runs nothing that somebody has named one."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from relay_process import environment, run
from relay_support import text_update

from relay.cli import main
from yjs_store import open_store

HARMLESS = ["notes/a", "notes/b", "Grüße.md", "a@b:c"]
HOSTILE = ["$(reboot)", "`reboot`", "a;reboot", "a b", "-rf", "a'b", "\u202ex", "~", "*", "a\\b"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/relay.db"

    async def write() -> None:
        async with open_store(url) as opened:
            for name in [*HARMLESS, *HOSTILE, "notes/gone"]:
                await opened.append(name, text_update("x"))
            await opened.delete("notes/gone")

    asyncio.run(write())
    return url


def offered(arguments: list[str], incomplete: str) -> list[str]:
    completing = ShellComplete(main, {}, "yjs-relay", "_YJS_RELAY_COMPLETE")
    return [item.value for item in completing.get_completions(arguments, incomplete)]


def test_documents_are_completed_from_the_store(store: str) -> None:
    assert offered(["show", "--store", store], "notes/") == ["notes/a", "notes/b"]
    assert offered(["export", "--store", store, "notes/a"], "no") == ["notes/a", "notes/b"]


def test_no_name_is_offered_that_a_shell_would_take_for_something_else(store: str) -> None:
    assert sorted(offered(["show", "--store", store], "")) == sorted(HARMLESS)


def test_nothing_is_offered_or_said_without_a_store(tmp_path: Path) -> None:
    assert offered(["show", "--store", f"sqlite:///{tmp_path}/none.db"], "") == []
    assert offered(["show", "--store", "nonsense"], "") == []
    assert offered(["show", "--url", "http://127.0.0.1:1"], "") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False)
    assert done.exit_code == 0
    assert "_YJS_RELAY_COMPLETE" in done.output
    assert "yjs-relay" in done.output


def test_bash_takes_the_script(tmp_path: Path, store: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    script = run("completion", "bash", cwd=tmp_path)
    assert script.returncode == 0, script
    checked = subprocess.run([bash, "-n"], input=script.stdout, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    extra = {
        "_YJS_RELAY_COMPLETE": "bash_complete",
        "COMP_WORDS": f"yjs-relay show --store {store} notes/",
        "COMP_CWORD": "4",
    }
    command = "import relay.cli; relay.cli.main(prog_name='yjs-relay')"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env=environment(extra),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["plain,notes/a", "plain,notes/b"]


def test_a_command_needs_nothing_that_only_others_need(tmp_path: Path) -> None:
    program = (
        "import sys, relay.cli\n"
        "try:\n    relay.cli.main(prog_name='yjs-relay')\n"
        "finally:\n    print({'yjs_store', 'uvicorn', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(
            {
                "_YJS_RELAY_COMPLETE": "bash_complete",
                "COMP_WORDS": "yjs-relay completi",
                "COMP_CWORD": "1",
            }
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["plain,completion", "set()"], done.stderr


def leaves(prefix: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(prefix.strip(), command)]
    found: list[tuple[str, click.Command]] = []
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        found += leaves(f"{prefix} {name}", child)
    return found


COMMANDS = dict(leaves("", main))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example_and_an_exit_status(name: str) -> None:
    done = CliRunner().invoke(main, [*name.split(), "--help"], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"yjs-relay {name}" in done.output.partition("\n")[2]
    assert ("Exit status" in done.output) != (name == "completion")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_that_answers_does_so_in_json_too(name: str) -> None:
    # What prints a script or bytes, or goes on until it is ended.
    others = {"completion", "connect", "quarantine export", "serve"}
    options = {option for each in COMMANDS[name].params for option in each.opts}
    assert ("--json" in options) != (name in others)
