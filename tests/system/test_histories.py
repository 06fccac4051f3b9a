"""The histories must be what they say: causally faithful, and the same every time."""

from pycrdt import Doc, Text

from .histories import (
    Replica,
    generate_conversation,
    generate_typing,
    replay_conversation,
    two_writers_history,
)


def pair() -> tuple[Replica, Replica]:
    return Replica(client_id=1), Replica(client_id=2)


def test_generated_typing_replays_to_the_text_it_claims() -> None:
    patches, text = generate_typing(500)
    replica = Replica(client_id=1)
    for patch in patches:
        replica.write([patch])
    assert str(replica.text) == text
    assert generate_typing(500) == (patches, text)


def test_generated_conversation_is_the_same_every_time_and_concurrent() -> None:
    one, again = pair(), pair()
    assert generate_conversation(one) == generate_conversation(again)
    assert [r.made for r in one] == [r.made for r in again]
    assert str(one[0].text) != str(one[1].text)


def test_a_transaction_is_made_on_its_parents_only() -> None:
    # Both type at the start of "x" without seeing each other, then the second merges.
    trace = {
        "txns": [
            {"agent": 0, "parents": [], "patches": [[0, 0, "x"]]},
            {"agent": 0, "parents": [0], "patches": [[0, 0, "a"]]},
            {"agent": 1, "parents": [0], "patches": [[1, 0, "b"]]},
            {"agent": 1, "parents": [1, 2], "patches": [[3, 0, "!"]]},
        ],
        "endContent": "axb!",
    }
    replicas = pair()
    assert replay_conversation(trace, replicas) == "axb!"
    assert replicas[1].writing().needs == (1, 2)


def test_no_update_of_the_two_writers_waits_for_what_its_writer_had_not_seen() -> None:
    history = two_writers_history()
    assert len(history.writings) == 2
    doc: Doc[Text] = Doc()
    for writing in history.writings:
        assert list(writing.needs) == sorted(writing.needs)
        for update in writing.updates:
            doc.apply_update(update)
    assert str(doc.get("text", type=Text)) == history.end_content
