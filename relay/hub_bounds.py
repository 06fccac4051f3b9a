"""What the connections and rooms of one process share."""

from dataclasses import dataclass, field

from relay.answers import Answers
from relay.incoming import IncomingBytes
from relay.limits import CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, DOCUMENTS_MAX


@dataclass(frozen=True, slots=True)
class HubBounds:
    """One for each hub."""

    connections_max: int = CONNECTIONS_MAX
    connections_per_address_max: int = CONNECTIONS_PER_ADDRESS_MAX
    documents_max: int = DOCUMENTS_MAX
    incoming: IncomingBytes = field(default_factory=IncomingBytes)
    answers: Answers = field(default_factory=Answers)
