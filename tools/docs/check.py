"""Whether a built site is whole: links lead somewhere, search finds what it must, every public name is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.inventory import InventoryFile

from tools.docs import reference

# Words that the search must find, and pages among those that it must find them on.
SOUGHT = {
    "huber": "reference/api/Huber",
    "boundari": "reference/api/Boundary",
    "perplex": "guide/language",
    "likelihood": "concepts/likelihood",
    "vectoris": "inside/kernels",
    "imbal": "choose",
}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if value and name == "id":
                self.anchors.add(value)
            if value and (name == "src" or (name == "href" and tag != "link")):
                self.links.append(value)


@cache
def _page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page


def broken_links(site: Path) -> Iterator[str]:
    """The links of a site to itself that lead nowhere."""
    for path in sorted(site.rglob("*.html")):
        if path.relative_to(site).parts[0].startswith("_"):
            continue
        for link in _page(path).links:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            if not target.exists():
                yield f"{path.relative_to(site)}: {link} is not there"
            elif to.fragment and target.suffix == ".html" and unquote(to.fragment) not in _page(target).anchors:
                yield f"{path.relative_to(site)}: {link} has no such place"


def not_found(site: Path) -> Iterator[str]:
    """The words that the search does not find where it must."""
    text = (site / "searchindex.js").read_text()
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    for word, page in SOUGHT.items():
        where = [index["terms"].get(word, []), index["titleterms"].get(word, [])]
        found = {n for places in where for n in (places if isinstance(places, list) else [places])}
        if page not in {index["docnames"][n] for n in found}:
            yield f"search: {word!r} does not find {page}"


def faults(site: Path) -> list[str]:
    """All that is wrong with a built site."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    names = [name for kind, items in inventory.data.items() if kind.startswith("py:") for name in items]
    undocumented = (f"reference: {name} is missing" for name in reference.lacking(names))
    return [*broken_links(site), *not_found(site), *undocumented]
