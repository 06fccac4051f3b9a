"""Every field of the debug JSON moves, when that happens which it tells of."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from debug_fields import (
    CONSTANT_FIELDS,
    DOCUMENT_FIELDS,
    STORAGE_FIELDS,
    SUMMARY_FIELDS,
    Change,
    World,
    emptied,
)
from debug_paths import at, paths_of
from observing import CHECKPOINT
from pydantic import BaseModel

from relay.debug import models


@pytest.mark.parametrize(
    ("model", "table"),
    [
        (models.Document, {**DOCUMENT_FIELDS, **CONSTANT_FIELDS}),
        (models.DocumentSummary, SUMMARY_FIELDS),
        (models.Storage, STORAGE_FIELDS),
    ],
)
def test_every_field_has_an_entry_that_says_what_moves_it(
    model: type[BaseModel], table: Mapping[str, object]
) -> None:
    assert set(paths_of(model)) == set(table)


@pytest.mark.parametrize("path", DOCUMENT_FIELDS)
def test_a_field_of_a_document_moves(path: str) -> None:
    check(path, DOCUMENT_FIELDS[path], World.document_json)


@pytest.mark.parametrize("path", SUMMARY_FIELDS)
def test_a_field_of_a_document_in_a_list_moves_as_on_its_own_page(path: str) -> None:
    check(path, SUMMARY_FIELDS[path], World.summary_json)


@pytest.mark.parametrize("path", STORAGE_FIELDS)
def test_a_field_of_the_store_moves(path: str) -> None:
    check(path, STORAGE_FIELDS[path], World.storage_json)


def check(path: str, entry: tuple[str, Change, Any], read: Any) -> None:
    words, change, expected = entry
    world = World()
    assert at(read(world), path) != expected, "it stood there before anything happened"
    change(world)
    assert at(read(world), path) == expected, words


def test_there_is_nothing_to_migrate_from() -> None:
    found = World().document_json()
    assert {path: at(found, path) for path in CONSTANT_FIELDS} == CONSTANT_FIELDS


def test_a_room_that_everybody_has_left_is_still_live() -> None:
    world = World()
    emptied(world)
    found = world.document_json()
    assert (found["is_live"], found["connection_count"], found["live"]["connections"]) == (
        True,
        0,
        [],
    )


@pytest.mark.parametrize(
    "model",
    [
        each
        for each in vars(models).values()
        if isinstance(each, type) and issubclass(each, BaseModel) and each.model_fields
    ],
)
def test_every_field_is_described(model: type[BaseModel]) -> None:
    assert model.__doc__
    assert not [name for name, each in model.model_fields.items() if not each.description]


def test_the_newest_checkpoint_comes_first() -> None:
    world = World()
    world.document = replace(
        world.document, checkpoints=(CHECKPOINT, replace(CHECKPOINT, number=9), CHECKPOINT)
    )
    assert [each["number"] for each in world.document_json()["checkpoints"]] == [9, 3, 3]
