"""The colours of drawings: of lines, of details, and of families of kinds."""

from __future__ import annotations

QUIET = "#64748b"
LINE = "#94a3b8"
FAMILIES = ("#2563eb", "#059669", "#d97706", "#7c3aed", "#db2777", "#0891b2", "#65a30d", "#dc2626")
