"""What the system tests call "is there already" must be exactly that."""

from pycrdt import Doc, Text

from .peers import covers, document_of


def history() -> list[bytes]:
    """Updates that insert "a", "b" and "c" in turn, and then delete "b"."""
    doc: Doc[Text] = Doc(client_id=7)
    text = doc.get("text", type=Text)
    made: list[bytes] = []
    watching = doc.observe(lambda event: made.append(event.update))
    for letter in "abc":
        text += letter
    del text[1:2]
    doc.unobserve(watching)
    return made


def test_an_applied_update_is_covered() -> None:
    a, b, c, cut = history()
    doc = document_of(a, b, c, cut)
    assert all(covers(doc, update) for update in (a, b, c, cut))


def test_an_update_that_did_not_arrive_is_not_covered() -> None:
    a, b, _c, _cut = history()
    assert not covers(document_of(a), b)


def test_an_update_whose_predecessor_is_missing_is_not_covered() -> None:
    a, _b, c, _cut = history()
    assert not covers(document_of(a), c)
    assert not covers(document_of(a, c), c)


def test_a_deletion_that_did_not_arrive_is_not_covered() -> None:
    a, b, c, cut = history()
    assert not covers(document_of(a, b, c), cut)
    assert not covers(document_of(a), cut)


def test_an_update_behind_the_document_is_covered_by_it() -> None:
    a, b, c, cut = history()
    assert covers(document_of(*history()), document_of(a, b, c).get_update())
    assert not covers(document_of(a, b, c), document_of(a, b, c, cut).get_update())
