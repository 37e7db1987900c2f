"""How the command ends: a line on standard error unless all is well, and an exit status.

======  ==============================================================================================
0       done
1       the output cannot be written, memory is short, or an extra is not installed
2       the options or a file are refused
3       the loss is above what it may be
128+n   signal n: 129 the terminal is gone, 130 Ctrl-C, 141 nothing reads the output, 143 asked to end
======  ==============================================================================================
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

REFRESH = 0.1  # seconds between looks at work in the background

REASONS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "asked to end",
}
if sys.platform != "win32":
    REASONS[signal.SIGHUP] = "the terminal is gone"


class Refused(Exception):
    """What cannot be done; its text is the one line that the user reads."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


class Stopped(BaseException):
    """A signal to end, raised where the program is, so that it leaves nothing behind."""

    received: int | None = None
    held = False  # until what has begun is whole

    def __init__(self, number: int) -> None:
        self.number = number
        self.done = ""  # what was done until then


def heed() -> None:
    """End if a signal asked for it whose exception got lost, as in callbacks and while modules are imported."""
    if Stopped.received is not None:
        raise Stopped(Stopped.received)


@contextmanager
def whole() -> Iterator[None]:
    """What is done here is done as a whole: signals end the program after it."""
    Stopped.held = True
    try:
        yield
    finally:
        Stopped.held = False
    heed()


_abandoned: list[Thread] = []  # threads that went on when a signal ended the program


def in_background(work: Callable[[], T], watch: Callable[[], None]) -> T:
    """What some work returns, done in a thread so that signals end it at once; `watch` is called now and then."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    thread = Thread(target=run, name="fastloss", daemon=True)
    try:
        thread.start()
        while not wait([result], REFRESH).done:
            heed()
            watch()
    except BaseException:
        _abandoned.append(thread)
        raise
    return result.result()


def printable(text: str) -> str:
    """Text without the control characters with which names in a file could speak to a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def tell(line: str) -> None:
    """Print a line on standard error, if there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"fastloss: {printable(' '.join(line.split()))}", file=sys.stderr)


@contextmanager
def ending() -> Iterator[None]:
    """Turn what ends the program before its time into a line and an exit status."""
    Stopped.received = None
    handlers = {number: signal.signal(number, _stop) for number in REASONS if _heeded(number)}
    if sys.platform != "win32":
        handlers[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end in silence, as others do
    # Looking for cycles among the states of many groups takes longer than scoring them, and at exit, longer than all
    # else that there is to do after Ctrl-C.
    collecting = gc.isenabled()
    gc.disable()
    atexit.register(gc.freeze)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: tell(str(message))
            if sys.stdout is None:
                raise Refused("standard output: it is closed", 1)
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")
            yield
    except SystemExit as end:
        _end(end.code)
    except BaseException as error:
        line, status = _told(error)
        for number in REASONS:
            signal.signal(number, signal.SIG_IGN)
        tell(line)
        _end(status)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if collecting:
            gc.enable()


def _heeded(number: int) -> bool:
    """Whether a signal is not one that whoever started the program wants ignored, as nohup does."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _stop(number: int, frame: FrameType | None) -> None:
    Stopped.received = number
    if not Stopped.held:
        raise Stopped(number)


def _told(error: BaseException) -> tuple[str, int]:
    """The line and the status of what ended the program; what has none is a fault of the program itself."""
    match error:
        case Refused():
            return str(error), error.status
        case Stopped():
            return REASONS[signal.Signals(error.number)] + error.done, 128 + error.number
        case KeyboardInterrupt():
            return REASONS[signal.SIGINT], 128 + signal.SIGINT
        case MemoryError():
            return f"not enough memory: {error}".removesuffix(": "), 1
        case ImportError():
            return str(error), 1
        case OSError():  # those of files are Refused
            return f"standard output: {error.strerror or error}", 1
    # Options that Typer refuses; not every version of it exports their class.
    if hasattr(error, "format_message"):
        return f"{error.format_message()} (`fastloss --help` lists the options)", 2
    raise error


def _end(status: Any) -> None:
    """Exit with a status, once all that was printed is written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer shall not fail again when Python closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not status:
            tell(f"standard output: {error.strerror}")
            status = 1
    if _abandoned:
        os._exit(status)  # what they are in may take its time
    sys.exit(status)
