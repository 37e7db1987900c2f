"""What is said where a library is missing that an extra installs."""

from __future__ import annotations


def missing(what: str, library: str, extra: str) -> ImportError:
    """The error of what needs a library, which says how to install it."""
    return ImportError(f"{what} needs {library}: run `pip install '.[{extra}]'` in a clone of fastloss")
