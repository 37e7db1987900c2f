"""Formulas as MathML, which browsers draw by themselves: the site needs no script and no other server for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def converted(text: str, display: str) -> str:
    """A formula of LaTeX in MathML."""
    from latex2mathml.converter import convert

    if r"\\" in re.sub(r"\\begin\{(\w+)\}.*?\\end\{\1\}", "", text, flags=re.DOTALL):
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    made: str = convert(text, display=display)
    return made


def visit_math(writer: Any, node: nodes.math) -> None:
    """Write a formula within text."""
    writer.body.append(converted(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_displaymath(writer: Any, node: nodes.math_block) -> None:
    """Write a formula of its own; empty lines part it into several."""
    parts = [part for part in re.split(r"\n\s*\n", node.astext()) if part.strip()]
    made = "".join(converted(part, "block") for part in parts)
    writer.body.append(f'<div class="formula">{made}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the renderer."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
