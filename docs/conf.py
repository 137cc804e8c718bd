"""How Sphinx builds this documentation: plain Markdown, nothing from the network, every warning an error."""

from __future__ import annotations

from importlib.metadata import version as installed_version

from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.pycode import ModuleAnalyzer

from emco_store import Resource

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
nitpick_ignore_regex = [
    # Only names of this package are looked up: the others' inventories would have to come from the network.
    ("py:.*", r"(?!emco_store\b).*"),
    ("py:.*", r"emco_store\..*\.([A-Z]|T_co|_\w+)"),  # type variables and private names in signatures
    # Signatures name these; a caller passes them on and does not look into them.
    (
        "py:class",
        r"emco_store\.(core\.(evolution|guards|indexing|refs|rules|schema|selection|sights|some_of)|backends)\..*",
    ),
    (
        "py:class",
        r"emco_store\.core\.(applicable\.Applicable|revisions\.Row|leases\.LeaseTarget|lifecycle_parts\.(ContentScope|HoldSpec))",
    ),
    (
        "py:class",
        r"emco_store\.(emco\.bundles\.Stage|flows\.(acting\.Acting|consuming\.Consuming)|core\.conditions\.OfField)",
    ),
    ("py:class", r"emco_store\._(sync|aio)\.(taking|looking)\.\w+"),
    ("py:class", r"emco_store\.fastapi\.(opening|preconditions)\..*"),  # what dependencies in annotations call
]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Class arguments", "params_style"), "Rules", "Source"]

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "emco_store"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["pictures.css"]

_MADE_BY_THE_LIBRARY = {
    "Store", "AsyncStore", "Transaction", "AsyncTransaction", "Reaper", "AsyncReaper", "Lease", "MemoryBackend",
    "Watch", "AsyncWatch", "Iteration", "AsyncIteration", "Follow", "AsyncFollow", "Cache", "AsyncCache",
}  # fmt: skip
_HOMES = {"emco_store.F": "emco_store.core.conditions", "emco_store.fastapi.TABLE": "emco_store.fastapi.problems"}
"""Data whose docstring autodoc does not find, because it stands in another module."""


def setup(app: Sphinx) -> None:
    """Make autodoc show what users need, and no more."""
    app.connect("autodoc-process-signature", _hide_signature)
    app.connect("autodoc-process-docstring", _amend_docstring, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", _skip_member)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # Sphinx calls them variables


def _hide_signature(_: Sphinx, kind: str, name: str, what: object, *__: object) -> tuple[str, None] | None:
    """Leave out the arguments of classes that users do not construct, and of EMCO's models: they are long."""
    is_model = isinstance(what, type) and issubclass(what, Resource) and what is not Resource
    is_protocol = getattr(what, "_is_protocol", False)
    is_hidden = kind == "class" and (is_model or is_protocol or name.rpartition(".")[2] in _MADE_BY_THE_LIBRARY)
    return ("", None) if is_hidden else None


def _amend_docstring(_: Sphinx, kind: str, name: str, what: object, __: object, lines: list[str]) -> None:
    if name in _HOMES:
        lines[:] = ModuleAnalyzer.for_module(_HOMES[name]).find_attr_docs()["", name.rpartition(".")[2]]
    if kind in {"attribute", "data", "property"}:
        lines[:0] = ["..", ""]  # an empty comment: else napoleon takes words before a colon for a type
    if kind == "class" and isinstance(what, type) and issubclass(what, Resource) and hasattr(what, "__emco__"):
        spec = what.__emco__
        parent = f"Child of :class:`{spec.parent.__name__}`. " if spec.parent else ""
        lines += ["", f"{parent}Key: {', '.join(f'``{field}``' for field in spec.key_fields)}."]


def _skip_member(_: Sphinx, __: str, name: str, member: object, *___: object) -> bool | None:
    """Leave out pydantic's configuration, and what a named tuple says about its fields: the class describes them."""
    is_noise = name == "model_config" or (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
    return True if is_noise else None
