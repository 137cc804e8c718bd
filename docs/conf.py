"""How Sphinx builds this documentation: plain Markdown, nothing from the network, every warning an error."""

import logging
from importlib.metadata import version as installed_version

project = "emco_store"
author = "The emco_store authors"
copyright = author
release = version = installed_version("emco-store")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

nitpicky = True
# Only names of this package are looked up: the others' inventories would have to come from the network.
nitpick_ignore_regex = [("py:.*", r"(?!emco_store\b).*")]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Rules", "Source"]

html_theme = "furo"
html_title = "emco_store"
html_show_copyright = False

# A section may still be empty. Sphinx gives that warning no type, so `suppress_warnings` cannot name it.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: getattr(record, "subtype", None) != "empty_glob"
)
