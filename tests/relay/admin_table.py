"""The admin routes, filled in with names and numbers: what every test of them goes through."""

from relay.admin.operations import ADMIN_OPERATIONS
from relay.debug.operations import Operation

TOKEN = "the-admin-token-of-this-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X")


def filled(operation: Operation, document: str = "notes%2Fnone", number: str = "1") -> str:
    """The path of a route, for a document, session or number that there may not be."""
    return operation.path.format(document=document, number=number, session="none")


ROUTES = [(operation.method.upper(), filled(operation)) for operation in ADMIN_OPERATIONS]
