"""One JSON object per log line, on stderr, for our own and for library loggers alike.

Lines of one request share its `request_id`, lines of one job its `job` and `attempt`: they are bound once, as context
variables, and stand in every line that is written under them.
"""

import logging
import sys
import threading
from contextlib import suppress
from types import TracebackType

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_NOISY = ("uvicorn", "uvicorn.error", "celery")
"""loggers that their libraries set up for themselves; uvicorn's of requests stays off, for a request has its line"""
_CHATTY = ("alembic", *_NOISY)
"""loggers whose news, as that a migration was run or a server has started, are for debugging"""


def configure(level: str, process: str) -> None:
    """Idempotent. Warnings and errors that nobody caught are lines too; `process` says whose.

    Our own lines are written at once: by way of the standard library's loggers, as those of libraries are, a line costs
    three times as much, and every request has one.
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
    """Writes lines to stderr, whole ones whatever thread they come from.

    A line that cannot be written is lost, as with the standard library: no work ends because nobody reads its log.
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
