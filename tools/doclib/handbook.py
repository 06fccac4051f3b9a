"""`engineering/debug.md`: the routes, every field and every metric, made of the tables. Pure."""

import types
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from relay.debug import models
from relay.debug.operations import OPERATIONS, Operation
from relay.limits import (
    DEBUG_DOCUMENTS_SHARE,
    DEBUG_SHARE,
    DEBUG_SHARED_S,
    DEBUG_STALE_S,
    DEBUG_STORE_SHARE,
    STREAM_CLIENTS_MAX,
    STREAM_PACE_S,
)
from relay.metrics import METRICS, MetricRow

_INTRODUCTION = f"""\
# What can be seen

Made by `tools/describe_debug` of the models and tables in `relay/debug` and `relay/metrics.py`; a
test fails when it is not current. Keys are stable: one may be added, none changes its meaning.
Times are milliseconds since 1970, durations milliseconds, lengths bytes; what does not apply is
null.

Looking loads no document, writes nothing and waits for no writer. An answer is at most
{DEBUG_SHARED_S * 1000:.0f} ms old and shared by all who ask for it; making them takes
{DEBUG_SHARE:.0%} of the time at most: {DEBUG_STORE_SHARE:.1%} for `/metrics` and the store,
{DEBUG_DOCUMENTS_SHARE:.1%} for documents, neither of which keeps the other waiting.
Who asks for more gets answers up to {DEBUG_STALE_S:g} s old, then waits for their turn.
{STREAM_CLIENTS_MAX} may watch the stream, which tells something new at most every
{STREAM_PACE_S:g} s. No answer holds content, a token or a key.

Who may look: with `--auth none` everybody who reaches the server by its address or as localhost;
else who has the permission `admin` for every document, or the token of `--admin-token-file` or of
`--observer-token-file`. With the last one that token is asked for with `--auth none`, too.
"""


_NAMES = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "yes or no",
    types.NoneType: "null",
}


def handbook() -> str:
    """Return the whole text."""
    parts = [_INTRODUCTION, "## Routes\n", *map(_route, OPERATIONS)]
    parts.append("## Fields\n")
    parts += [_model(each) for each in _models()]
    parts.append("## Metrics\n")
    parts.append(
        "No label takes more values than there are words for it: never a document or a user.\n"
    )
    parts.append(_table(("metric", "kind", "label", "what it is"), map(_metric, METRICS)))
    return "\n".join(parts)


def _route(operation: Operation) -> str:
    lines = [f"### `{operation.method.upper()} {operation.path}`\n", f"{operation.text}\n"]
    if operation.answer is not None:
        name = operation.answer.__name__
        lines.append(f"Answers [{name}](#{name.lower()}).\n")
    if operation.parameters:
        rows = [
            (f"`{each.name}`", each.where, _values(each.schema), each.text)
            for each in operation.parameters
        ]
        lines.append(_table(("parameter", "where", "values", "what it is"), rows))
    return "\n".join(lines)


def _values(schema: Any) -> str:
    if "enum" in schema:
        said = ", ".join(f"`{each}`" for each in schema["enum"])
    elif "maximum" in schema:
        said = f"{schema['minimum']} to {schema['maximum']}"
    else:
        said = "text"
    return f"{said}; `{schema['default']}` without" if "default" in schema else said


def _models() -> list[type[BaseModel]]:
    """Return the models that answers are made of, in the order in which they are met."""
    found: dict[type[BaseModel], None] = {}

    def meet(model: type[BaseModel]) -> None:
        if model in found:
            return
        found[model] = None
        for field in model.model_fields.values():
            for inner in _inner(field.annotation):
                meet(inner)

    for operation in OPERATIONS:
        if operation.answer is not None:
            meet(operation.answer)
    meet(models.Refusal)
    return list(found)


def _inner(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _inner(each)


def _model(model: type[BaseModel]) -> str:
    rows = [
        (f"`{name}`", _type(field.annotation), _text(field))
        for name, field in model.model_fields.items()
    ]
    doc = (model.__doc__ or "").strip()
    return f"### {model.__name__}\n\n{doc}\n\n" + _table(("field", "type", "what it is"), rows)


def _text(field: FieldInfo) -> str:
    return field.description or ""


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object, each {_type(arguments[1])}"
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _NAMES[annotation]


def _metric(row: MetricRow) -> tuple[str, ...]:
    label = "" if row.label is None else f"`{row.label}`"
    return f"`{row.exposed_name}`", row.kind, label, row.text


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
