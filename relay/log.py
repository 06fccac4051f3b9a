"""Structured logs on standard error: one line for each event worth knowing, no content."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import structlog

from relay.terminal import printable

# What is printed below its line, as a traceback is.
_OF_MANY_LINES: Final = ("exception", "stack")
# Below a warning, what these say is not logged. uvicorn's lines for each start, stop and handshake
# repeat what ours say. A client of ours that asks a hook would log its address, and headers when
# debugging; who sends events, each event whole, with users and addresses.
_QUIET_LIBRARIES: Final = (
    *("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"),
    *("httpx", "httpcore", "sse_starlette"),
)
# No log line begins like this, whatever the text of an exception is.
_INDENT: Final = "    | "


def configure_logging(level: str, log_format: str) -> None:
    """Send our events and those of the libraries to standard error, in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    is_json = log_format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                # JSON escapes by itself.
                *([] if is_json else [_escape]),
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _log_uncaught()
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def command_logging() -> Iterator[None]:
    """Send what the engine says during a command to standard error: warnings, and made printable.

    Standard output is the command's answer, which a program may read.
    """
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _escape,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _escape(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Let nothing that a client said act on the terminal, or begin a line of its own."""
    return {printable(name): _escaped(name, value) for name, value in event.items()}


def _escaped(name: str, value: object) -> object:
    if name in _OF_MANY_LINES and isinstance(value, str):
        return "\n".join(f"{_INDENT}{printable(line)}" for line in value.split("\n"))
    if value is None or isinstance(value, bool | int | float):
        return value
    # What is no text is shown as it describes itself, which is up to whoever made it.
    return printable(value if isinstance(value, str) else repr(value))


def _log_uncaught() -> None:
    """Log what Python itself would print as it is: an exception's text may be a client's."""
    log = structlog.get_logger("relay.log")

    def uncaught(
        kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log.critical("nobody caught this", exc_info=(kind, error, trace))

    sys.excepthook = uncaught
    threading.excepthook = lambda of: uncaught(of.exc_type, of.exc_value, of.exc_traceback)
    sys.unraisablehook = lambda of: uncaught(of.exc_type, of.exc_value, of.exc_traceback)
    logging.captureWarnings(capture=True)
