"""A function of the vector mathematics at every float32 number, in one build of the kernels."""

from __future__ import annotations

import sys
import time
import traceback

from tests.soak.report import Done
from tests.test_vecmath import BY_NAME, EVERY_FLOAT32, test_every_float32

NAMES = [function.name for function in EVERY_FLOAT32]


def main(name: str, isa: str) -> int:
    began = time.monotonic()
    failures = 0
    try:
        test_every_float32(isa, BY_NAME[name])
    except Exception:
        traceback.print_exc()
        failures = 1
    print(Done(1 << 32, f"numbers, {name}", round(time.monotonic() - began), failures))
    return failures


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
