"""Build the site from nothing, or with ``--keep`` what changed since, and check it: ``python -m tools.docs``."""

from __future__ import annotations

import shutil
import sys
import time

from sphinx.cmd.build import main as sphinx

from tools.docs import DOCS, MADE, SITE
from tools.docs.check import faults

TREES = SITE.parent / "site-trees"


def main(arguments: list[str]) -> int:
    begun = time.monotonic()
    if "--keep" not in arguments:
        for folder in (SITE, TREES, *(DOCS / name for name in MADE)):
            shutil.rmtree(folder, ignore_errors=True)
    failed = sphinx(["-q", "-W", "--keep-going", "-n", "-b", "html", "-d", str(TREES), str(DOCS), str(SITE)])
    if failed:
        return failed
    found = faults(SITE)
    print("\n".join(found) or f"{SITE / 'index.html'}, {time.monotonic() - begun:.0f} s")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
