"""The Sphinx extension of the site: pages and pictures made of the registry, cards of losses, a table with links."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from fastloss import Loss, registry
from tools.docs import measured, pictures, reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

CLASSES = {cls.__name__: cls for cls in registry.values()}


class Cards(SphinxDirective):
    """Cards of the losses that are named, or of a family: picture, name and what it is, with a link."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"family": directives.unchanged}  # noqa: RUF012  # as docutils has it

    def run(self) -> list[nodes.Node]:
        names = (self.arguments or [""])[0].split()
        unknown = [name for name in names if name not in CLASSES]
        if unknown:
            raise self.error(f"no losses: {', '.join(unknown)}")
        if "family" in self.options:
            names = [cls.__name__ for cls in CLASSES.values() if cls.__module__.split(".")[1] == self.options["family"]]
        cards = nodes.container(classes=["loss-cards"])
        for name in names:
            cards += _card(CLASSES[name], self._address(name))
        return [cards]

    def _address(self, name: str) -> str:
        return posixpath.relpath(f"{reference.FOLDER}/{name}.html", posixpath.dirname(self.env.docname) or ".")


def _card(cls: type[Loss], address: str) -> nodes.Node:
    name = cls.__name__
    card = nodes.container(classes=["loss-card"])
    picture = nodes.image(uri=f"/reference/pictures/{name}.svg", alt=f"{name}, its slope and its curvature")
    title = nodes.inline(classes=["loss-card-title"])
    title += nodes.literal(text=name)
    for shown in (picture, title):
        paragraph = nodes.paragraph()
        link = nodes.reference("", "", internal=True, refuri=address)
        link += shown
        paragraph += link
        card += paragraph
    about = nodes.paragraph(classes=["loss-card-text"])
    for k, text in enumerate(re.split(r"`(\w+)`", reference.summary(cls) + ".")):
        about += nodes.literal(text=text) if k % 2 else nodes.Text(text)
    card += about
    return card


# Files of the repository that are pages of the site: where pages link to them, for readers of the repository.
PAGES = {"CONTRIBUTING.md": "/inside/contributing.md", "examples/README.md": "/guide/examples.md"}


def with_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Make links to files of the repository links to pages, and losses in the table of all links to theirs."""
    for file, instead in PAGES.items():
        source[0] = re.sub(rf"\]\((?:\.\./)+{re.escape(file)}", f"]({instead}", source[0])
    if page == "choose" or page.startswith(("concepts/", "guide/")):
        names = "|".join(CLASSES)
        source[0] = re.sub(rf"(?<![\[`])`({names})`(?![`\]])", rf"[`\1`](/{reference.FOLDER}/\1.rst)", source[0])
    if page == "losses":
        folder = reference.FOLDER
        source[0] = re.sub(r"^\| `(\w+)` ", rf"| [`\1`]({folder}/\1.rst) ", source[0], flags=re.MULTILINE)


def write(app: Sphinx, config: Config) -> None:
    """Make the pages of the reference and all pictures, before Sphinx looks for sources."""
    folder = Path(app.srcdir)
    reference.write(folder)
    pictures.draw_all(folder / "reference" / "pictures")
    measured.draw_all(folder / "pictures")


def skipped(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Whether a member is left out: methods that scikit-learn adds to its estimators are described there."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter all of it."""
    app.add_directive("losses", Cards)
    app.connect("config-inited", write, priority=100)
    app.connect("source-read", with_links)
    app.connect("autodoc-skip-member", skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
