"""How the documentation site is built: ``make docs`` writes it to ``docs/_build/html``.

Nothing is fetched, neither when it is built nor when it is read: formulas are MathML, and the
theory pages are written from the registry of theorems by the extensions in ``_ext``.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from delaystability import __version__  # noqa: E402

project = "delaystability"
author = "The delaystability developers"
project_copyright = "The delaystability developers, Apache-2.0"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "theory_pages",
    "repository_links",
    "short_names",
    "record_fields",
    "source_pages",
    "static_pages",
    "dead_links",
]

# theory.md is the page for GitHub: the site has a page for each part of the theory.
exclude_patterns = ["_build", "theory.md", "explorer", "paper", "validation/*/remarks.md"]
nitpicky = True
# Types in docstrings are words ("number or array, positive"), which Sphinx takes for classes.
nitpick_ignore_regex = [("py:class", r"(?!delaystability).*")]


myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

add_module_names = False
default_role = "py:obj"
# Described even where they are not installed.
autodoc_mock_imports = ["accelerate", "lightning", "transformers"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_google_docstring = False

html_theme = "furo"
html_title = "delaystability"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#005a8c",
        "color-brand-content": "#005a8c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4ee",
        "color-brand-content": "#7cc4ee",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
