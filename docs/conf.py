"""The settings of the documentation site; ``python -m tools.docs`` builds it."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "agg")

import fastloss  # noqa: E402
from tools.docs import gallery  # noqa: E402

project = "fastloss"
author = "the authors of fastloss"
copyright = "the authors of fastloss, MIT license"
version = release = fastloss.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "tools.docs.mathml",
    "tools.docs.site",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["sg_execution_times.rst", "gallery/**/*.py", "gallery/**/*.ipynb", "gallery/**/*.md5"]

# What is written in single quotes is a link where it is a public name, and code elsewhere.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*"), ("py:class", ".*"), ("py:data", ".*")]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = gallery.configuration(ROOT)

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "fastloss"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"index": [], "**": ["page-toc"]},
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
WIDE = ("index", "start", "choose", "parity", "losses", "speed", "measured", "accuracy")  # and without a page list
html_sidebars: dict[str, list[str]] = {page: [] for page in WIDE}
