"""Write one JSON object per log line to stderr, for the loggers of the service and of libraries alike.

All lines of a request have its `request_id`, all lines of a job its `job` and `attempt`: these are bound once, as
context variables.
"""

import logging
import sys
import threading
from contextlib import suppress
from types import TracebackType

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_NOISY = ("uvicorn", "uvicorn.error", "celery")
"""loggers that their libraries configure; uvicorn's access log stays off, because each request has a line of ours"""
_CHATTY = ("alembic", *_NOISY)
"""loggers whose information lines, such as a migration or a server's start, are for debugging"""


def configure(level: str, process: str) -> None:
    """Configure the log of this process; may be called again. Warnings and uncaught errors are logged too.

    `process` is a field of every line. The service's own lines bypass the standard library's loggers, which take three
    times as long per line: every request has a line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _named(process),
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    root = logging.getLogger()
    root.handlers = [_handler(shared)]
    root.setLevel(level.upper())
    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(
            root.level if root.level <= logging.DEBUG else max(root.level, logging.WARNING)
        )
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=_Writer,
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


class _Writer(structlog.WriteLogger):
    """A writer of whole lines to stderr, from any thread.

    A line that cannot be written is dropped, as in the standard library: a log without a reader stops no work.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = exception = msg


def _named(process: str) -> Processor:
    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _handler(shared: list[Processor]) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    return handler


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger(__name__).critical("uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else None
        get_logger(__name__).critical(
            "uncaught", thread=name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
