"""`/openapi.json`: made of the table of routes and of the models. Pure."""

import json
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from relay.debug.operations import OPERATIONS, Operation, Parameter

_REFERENCE: Final = "#/components/schemas/{model}"
_GATE: Final = {
    400: "Several credentials, or one that is too long.",
    401: "A credential is needed, or it is not valid.",
    403: "The credential is valid, but not for this.",
    429: "Too many ask from this address.",
    503: "Nobody decided about the credential.",
}


def openapi_json(version: str, operations: Iterable[Operation] = OPERATIONS) -> bytes:
    """Return the description of these routes, of that version of yjs-relay."""
    return json.dumps(describe(version, operations)).encode()


def describe(version: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the description of these routes, as OpenAPI 3.1."""
    table = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "yjs-relay", "version": version},
        "paths": paths,
        "components": {
            "schemas": _schemas(table),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    used: dict[type[BaseModel], None] = {}
    for operation in operations:
        for model in (operation.answer, operation.body, operation.refusal):
            if model is not None:
                used[model] = None
    _, found = models_json_schema(
        [(model, "serialization") for model in used], ref_template=_REFERENCE
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.text,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        content = {"application/json": {"schema": _reference(operation.body)}}
        said["requestBody"] = {"required": False, "content": content}
    if operation.is_gated:
        # Without one where the server asks nobody for any.
        said["security"] = [{"bearer": []}, {}]
    return said


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.text,
        "schema": dict(parameter.schema),
    }


def _responses(operation: Operation) -> dict[str, Any]:
    schema = {} if operation.answer is None else {"schema": _reference(operation.answer)}
    content = dict.fromkeys(operation.content_types, schema)
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    refusals = dict(operation.refusals)
    if operation.is_gated:
        refusals = {**_GATE, **refusals}
    refusal = {"application/json": {"schema": _reference(operation.refusal)}}
    for status in sorted(refusals):
        responses[str(status)] = {"description": refusals[status], "content": refusal}
    return responses


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
