"""Where the fields of the debug JSON stand, read off its models."""

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel


def paths_of(model: type[BaseModel]) -> Iterator[str]:
    """Yield the path of each field that is no model itself, as in the tables."""
    for name, found in model.model_fields.items():
        inner, suffix = model_in(found.annotation)
        if inner is None:
            yield name
        else:
            yield from (f"{name}{suffix}.{path}" for path in paths_of(inner))


def model_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [model_in(each) for each in get_args(annotation)]
        return next((part for part in parts if part[0] is not None), (None, ""))
    if get_origin(annotation) is list:
        return model_in(get_args(annotation)[0])[0], "[]"
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return (annotation, "") if is_model else (None, "")


def at(found: Any, path: str) -> Any:
    """Return what stands at a path; None when there is nothing on the way."""
    for part in path.split("."):
        if found is None:
            return None
        found = found[part.removesuffix("[]")]
        if part.endswith("[]"):
            found = found[0] if found else None
    return found
