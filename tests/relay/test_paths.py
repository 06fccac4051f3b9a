"""A path names one document, decoded once and strictly; a name is never a file (field note 22)."""

from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_support import GatedBackend, Member, text_of, text_update

from relay.errors import BadDocumentName, CloseCode
from relay.hub import Hub
from relay.limits import PATH_BYTES_MAX
from relay.paths import document_name
from yjs_store import Store, check_name
from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/ws/notes", "notes"),
        (b"/notes", "notes"),
        (b"/ws/a/b/c", "a/b/c"),
        (b"/a/b/c", "a/b/c"),
        (b"/ws", "ws"),
        (b"/ws/ws", "ws"),
        (b"/ws/ws/x", "ws/x"),
        (b"/wsx/y", "wsx/y"),
        (b"/WS/y", "WS/y"),
        (b"/ws//a", "/a"),
        (b"//a", "/a"),
        (b"/a/", "a/"),
        (b"/a%2Fb", "a/b"),
        (b"/a%2fb", "a/b"),
        (b"/%77s/a", "ws/a"),
        (b"/a%20b", "a b"),
        (b"/a+b", "a+b"),
        (b"/a%25zz", "a%zz"),
        (b"/a%252Fb", "a%2Fb"),
        (b"/a%3Fb%23c", "a?b#c"),
        (b"/ws/Z%C3%BCrich", "Zürich"),
        (b"/ws/%F0%9F%9A%B2", "🚲"),
        ("/ws/Zürich".encode(), "Zürich"),
        (b"/.", "."),
        (b"/..", ".."),
        (b"/ws/..", ".."),
        (b"/ws/../../etc/passwd", "../../etc/passwd"),
        (b"/ws/%2e%2e/%2E%2E/etc", "../../etc"),
        (b"/ws/./a/../b", "./a/../b"),
        (b"/health/live", "health/live"),
        (b"/ws/%C2%A0", "\u00a0"),
        (b"/ws/%E2%80%AE", "\u202e"),
    ],
)
def test_a_path_names_a_document(path: bytes, name: str) -> None:
    assert document_name(path) == name


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"/", "empty"),
        (b"/ws/", "empty"),
        (b"", "empty"),
        (b"/ws/a%00b", "control character"),
        (b"/%00", "control character"),
        (b"/a%0Ab", "control character"),
        (b"/a%0Db", "control character"),
        (b"/a%09b", "control character"),
        (b"/a%1Fb", "control character"),
        (b"/a%7Fb", "control character"),
        (b"/a%C2%80b", "control character"),
        (b"/a%C2%9Fb", "control character"),
        (b"/a\x00b", "control character"),
        (b"/%", "percent-encoding"),
        (b"/a%", "percent-encoding"),
        (b"/a%4", "percent-encoding"),
        (b"/a%zz", "percent-encoding"),
        (b"/a%4g", "percent-encoding"),
        (b"/a%%41", "percent-encoding"),
        (b"/a%+1", "percent-encoding"),
        (b"/a% 1", "percent-encoding"),
        (b"/a%u0041", "percent-encoding"),
        (b"/%FF", "UTF-8"),
        (b"/\xff", "UTF-8"),
        (b"/%C3", "UTF-8"),
        (b"/%C0%AF", "UTF-8"),  # an over-long slash
        (b"/%E0%80%AF", "UTF-8"),
        (b"/%ED%A0%80", "UTF-8"),  # half a surrogate pair
        (b"/%F5%80%80%80", "UTF-8"),
    ],
)
def test_a_path_that_names_no_document_is_refused_for_good(path: bytes, reason: str) -> None:
    with pytest.raises(BadDocumentName, match=reason) as caught:
        document_name(path)
    assert caught.value.code == CloseCode.BAD_REQUEST == 4400


def test_a_name_may_have_as_many_bytes_as_the_store_takes() -> None:
    longest = "é" * (DOCUMENT_NAME_BYTES_MAX // 2)
    assert document_name(f"/ws/{quote(longest)}".encode()) == longest
    with pytest.raises(BadDocumentName, match=f"the bound is {DOCUMENT_NAME_BYTES_MAX}"):
        document_name(f"/ws/{quote(longest)}x".encode())


def test_an_over_long_path_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BadDocumentName, match=f"the path has {PATH_BYTES_MAX + 1} bytes"):
        document_name(b"/" + b"%" * PATH_BYTES_MAX)


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@given(names)
def test_every_name_can_be_asked_for_under_both_paths(name: str) -> None:
    assert document_name(f"/ws/{quote(name)}".encode()) == name
    assert document_name(f"/ws/{quote(name, safe='')}".encode()) == name
    if not name.startswith("ws/"):
        assert document_name(f"/{quote(name)}".encode()) == name


@given(st.binary(max_size=40))
def test_whatever_the_bytes_they_name_a_document_or_are_refused(path: bytes) -> None:
    for asked in (path, b"/" + path, b"/ws/" + path, b"/" + quote_from_bytes(path).encode()):
        try:
            name = document_name(asked)
        except BadDocumentName:
            continue
        assert check_name(name) == name


@pytest.mark.parametrize("name", ["../../etc", "../relay.db", "/etc/passwd", "C:\\x", "."])
async def test_a_name_like_a_path_never_touches_the_file_system(
    hub: Hub, store: Store, backend: GatedBackend, tmp_path: Path, name: str
) -> None:
    files = sorted(tmp_path.parent.rglob("*"))
    member = await Member.join(hub, document_name(f"/ws/{quote(name)}".encode()))
    member.send_update(text_update("kept"))
    await store.wait_settled()
    assert text_of(await store.load(name)) == "kept"
    assert sorted(tmp_path.parent.rglob("*")) == files
    assert backend.appends == [name]
