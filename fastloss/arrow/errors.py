"""What is wrong with files, columns and rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Failure(Exception):
    """What is wrong with rows of a file, to be told when it is known how many come before them."""

    def __init__(self, file: str, tell: Callable[[int], Exception]) -> None:
        super().__init__(file)
        self.file = file
        self.tell = tell
        self.rows = 0  # of the same portion before them


class Unreadable(ValueError):
    """A file that is not what it must be."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")


class NoColumn(ValueError):
    """An argument does not name one column."""

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.argument = argument
        self.reason = reason


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what a bad file raises into one error that names the file."""
    try:
        yield
    except (Unreadable, NoColumn):
        raise
    except (OSError, ValueError, EOFError, MemoryError, RuntimeError, _of_arrow()) as error:
        raise Unreadable(name, reason(error)) from error


def _of_arrow() -> type[Exception]:
    """What all errors of Arrow are, if it is there."""
    found: type[Exception] = getattr(sys.modules.get("pyarrow"), "ArrowException", Unreadable)
    return found


def reason(error: BaseException) -> str:
    """What an error says in one line."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
