"""The settings of the built site: Markdown pages, the reference from the docstrings, furo's light and dark.

    sphinx-build -W --keep-going -c docs . site

The root of the sources is the repository, so that a link of a page (`../demos/dates.py`) leads to the same place in a
checkout, on GitHub and in the site. Nothing in a page is written for Sphinx; what the site adds is in extensions/.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "extensions")]

import ziamath  # noqa: E402
from source_files import linkcode_resolve  # noqa: E402, F401

import tinygrad_seq  # noqa: E402

project = "tinygrad_seq"
author = "the tinygrad_seq authors"
copyright = author
version = release = tinygrad_seq.__version__

extensions = [
    *("myst_parser", "sphinx.ext.autodoc", "sphinx.ext.linkcode"),
    *("table_of_contents", "source_files", "docstrings", "mathml", "lessons"),  # ours
]
root_doc = "docs/index"
include_patterns = ["README.md", "docs/**.md", "demos/README.md", "tinygrad_seq/**.md"]
exclude_patterns = [".*", "site", "runs", "tests"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # the anchors that GitHub gives to headings
html_math_renderer = "mathml"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
smartquotes = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "tinygrad_seq"
html_static_path = ["static", str(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf")]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
