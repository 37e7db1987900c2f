"""The documentation site: ``python -m tools.docs`` builds it into `build/site`, with every warning an error.

Sources are in `docs/`, scripts of the gallery in `examples/`; what follows from the registry and from what was measured
is made by the modules here while Sphinx runs.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
MADE = ("gallery", "pictures", "reference/api", "reference/pictures")  # folders of `docs` that the build makes
SITE = ROOT / "build" / "site"
