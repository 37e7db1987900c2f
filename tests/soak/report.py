"""What a part of the soak says in its last line, and how that is read."""

from __future__ import annotations

import re
from typing import NamedTuple

LINE = re.compile(r"^([\d,]+) (.+) in ([\d,]+) s, ([\d,]+) failures$")


class Done(NamedTuple):
    """How often a part did what, in how many seconds, and how often that was wrong."""

    count: int
    of: str
    seconds: int
    failures: int

    def __str__(self) -> str:
        return f"{self.count:,} {self.of} in {self.seconds:,} s, {self.failures:,} failures"

    @classmethod
    def read(cls, output: str) -> Done:
        """From the last line of an output."""
        lines = output.strip().splitlines()
        found = LINE.match(lines[-1]) if lines else None
        if found is None:
            raise ValueError("a part ended without a report")
        count, of, *others = found.groups()
        count, seconds, failures = (int(number.replace(",", "")) for number in (count, *others))
        return cls(count, of, seconds, failures)
