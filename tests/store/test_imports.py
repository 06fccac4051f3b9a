"""The house stays as it was planned: imports point one way, and pure modules stay pure."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import yjs_store

ROOT = Path(__file__).parents[2]
PACKAGES = ("yjs_store", "relay")

PURE = {
    "yjs_store.clocks",
    "yjs_store.content_watch",
    "yjs_store.crdt",
    "yjs_store.decoder_failures",
    "yjs_store.errors",
    "yjs_store.facts",
    "yjs_store.format",
    "yjs_store.halves",
    "yjs_store.intake",
    "yjs_store.kept",
    "yjs_store.keys",
    "yjs_store.letters",
    "yjs_store.limits",
    "yjs_store.listing_records",
    "yjs_store.names",
    "yjs_store.observing_format",
    "yjs_store.observing_records",
    "yjs_store.paced_replica",
    "yjs_store.pairs",
    "yjs_store.policy",
    "yjs_store.quarantine_format",
    "yjs_store.quarantine_records",
    "yjs_store.records",
    "yjs_store.refusals",
    "yjs_store.rounds",
    "yjs_store.saving",
    "yjs_store.session_format",
    "yjs_store.session_records",
    "yjs_store.tallies",
    "yjs_store.telemetry",
    "yjs_store.trace_book",
    "yjs_store.vacuuming",
    "yjs_store.work",
    "yjs_store.write_rates",
    "relay.admin.act",
    "relay.admin.document_acts",
    "relay.admin.models",
    "relay.admin.operations",
    "relay.admin.people_acts",
    "relay.admin.salvage_acts",
    "relay.admin.seam",
    "relay.admin.store_acts",
    "relay.awareness",
    "relay.debug.assembling",
    "relay.debug.assembling_storage",
    "relay.debug.judging",
    "relay.debug.models",
    "relay.debug.openapi",
    "relay.debug.operations",
    "relay.debug.rates",
    "relay.debug.seam",
    "relay.delivery",
    "relay.errors",
    "relay.facts",
    "relay.limits",
    "relay.metrics",
    "relay.outbox",
    "relay.paths",
    "relay.room",
    "relay.terminal",
    "relay.tracing",
    "relay.wire",
    "relay.wire.lib0",
    "relay.wire.y_websocket",
}
IMPURE_LIBRARIES = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "socket",
    "sqlite3",
    "sqlite_utils",
    "starlette",
    "structlog",
    "threading",
    "time",
    "uvicorn",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}


def imports_of(module: str) -> Iterator[str]:
    """Everything a module imports: ``a.b`` or, for a name in a module, ``a.b:c``."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""] if node.level else [node.module or ""])
            for alias in node.names:
                is_module = f"{base}.{alias.name}" in MODULES
                yield f"{base}.{alias.name}" if is_module else f"{base}:{alias.name}"


def imported_modules(module: str) -> set[str]:
    return {name.partition(":")[0] for name in imports_of(module)}


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_every_module_is_looked_at() -> None:
    """The rules below are about modules that exist."""
    assert {"yjs_store.store", "yjs_store.backends.sqlite", "relay.server"} <= MODULES.keys()
    assert MODULES.keys() >= PURE
    assert "yjs_store.records:Head" in set(imports_of("yjs_store.policy"))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_engine_does_not_know_the_relay(module: str) -> None:
    if is_within(module, "yjs_store"):
        assert not [name for name in imported_modules(module) if is_within(name, "relay")]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_relay_uses_what_the_engine_exports(module: str) -> None:
    if not is_within(module, "relay"):
        return
    for name in imports_of(module):
        imported, _, attribute = name.partition(":")
        if imported == "yjs_store":
            assert attribute in yjs_store.__all__
        elif is_within(imported, "yjs_store"):
            assert imported == "yjs_store.limits"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_one_module_of_the_engine_knows_the_decoder(module: str) -> None:
    if is_within(module, "yjs_store") and module != "yjs_store.decoder":
        assert not [name for name in imported_modules(module) if is_within(name, "pycrdt")]


def built_on(module: str) -> set[str]:
    """The module and all of ours that it imports, directly or not.

    The package ``yjs_store`` itself is where everything comes together: whoever takes a name
    from there takes it from a module that has its own rules.
    """
    found: set[str] = set()
    todo = {module}
    while todo:
        current = todo.pop()
        found.add(current)
        ours = {name for name in imported_modules(current) if name in MODULES}
        todo |= ours - found - {"yjs_store"}
    return found


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_and_what_it_is_built_on_import_nothing_that_acts(module: str) -> None:
    for part in built_on(module):
        libraries = {name.partition(".")[0] for name in imported_modules(part)}
        assert not libraries & IMPURE_LIBRARIES, part


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_database_stays_behind_the_backends(module: str) -> None:
    databases = {"sqlite3", "sqlite_utils"} & imported_modules(module)
    if not is_within(module, "yjs_store.backends"):
        assert not databases


@pytest.mark.parametrize("module", sorted(MODULES))
def test_backends_do_not_import_each_other(module: str) -> None:
    if not is_within(module, "yjs_store.backends"):
        return
    kind = module.rpartition(".")[2].partition("_")[0]
    for name in imported_modules(module):
        if name.startswith("yjs_store.backends."):
            assert name.rpartition(".")[2].partition("_")[0] == kind


def test_the_wire_imports_only_bounds_and_errors() -> None:
    for module in MODULES:
        if is_within(module, "relay.wire"):
            ours = {name for name in imported_modules(module) if name.split(".")[0] in PACKAGES}
            assert all(
                is_within(name, "relay.wire") or name in ("relay.limits", "relay.errors")
                for name in ours
            )


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"relay.__main__"}))
def test_every_module_can_be_imported_alone_and_says_its_job(module: str) -> None:
    assert (importlib.import_module(module).__doc__ or "").strip()


def test_everything_exported_is_there() -> None:
    assert all(hasattr(yjs_store, name) for name in yjs_store.__all__)
    assert list(yjs_store.__all__) == sorted(set(yjs_store.__all__))
