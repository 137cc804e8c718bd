"""The colours of drawings and of text: one for each delete rule, and some to tell families of kinds apart."""

from __future__ import annotations

from emco_store.core.refs import Rule

INK = "#0f172a"
QUIET = "#64748b"
LINE = "#94a3b8"
FAMILIES = ("#2563eb", "#059669", "#d97706", "#7c3aed", "#db2777", "#0891b2", "#65a30d", "#dc2626")
_RULES = {
    Rule.RESTRICT: "#475569",
    Rule.PROTECT: "#dc2626",
    Rule.CASCADE: "#ea580c",
    Rule.SET_NULL: "#059669",
    Rule.SET_DEFAULT: "#0891b2",
    Rule.REMOVE: "#7c3aed",
}
_STYLES = {
    Rule.RESTRICT: "blue",
    Rule.PROTECT: "red",
    Rule.CASCADE: "yellow",
    Rule.SET_NULL: "green",
    Rule.SET_DEFAULT: "cyan",
    Rule.REMOVE: "magenta",
}


def colour_of(rule: Rule) -> str:
    """Give the colour of a rule in drawings, as ``#rrggbb``."""
    return _RULES[rule]


def style_of(rule: Rule) -> str:
    """Give the colour of a rule in a terminal: one of those that its user has chosen to be readable there."""
    return _STYLES[rule]
