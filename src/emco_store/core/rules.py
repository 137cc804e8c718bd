"""Delete rules: what the delete of a target does to a reference that points to it.

Each rule is one object that answers every question about itself: when it blocks, whether it cascades, what it puts
where the reference was, where it may be declared, and how it is shown. No other module compares a rule with another.
"""

from __future__ import annotations

from collections.abc import Iterator, Set as AbstractSet
from typing import Any, ClassVar, Protocol

from emco_store.core.keys import Key


class Site(Protocol):
    """Where a model declares a reference, as far as rules ask."""

    @property
    def container(self) -> str:
        """What holds it: ``"item"``, ``"set"``, ``"key"``, ``"value"``, ``"nested"``; empty for a whole field."""
        ...

    @property
    def nullable(self) -> bool:
        """Whether null may stand there."""
        ...

    @property
    def min_length(self) -> int:
        """How many entries its container must keep."""
        ...

    @property
    def default(self) -> Any:
        """The default of the field; None without one."""
        ...


class _Rules(type):
    """Iterates over the rules."""

    def __iter__(cls) -> Iterator[Rule]:
        return iter(_RULES)


class Rule(str, metaclass=_Rules):
    """A delete rule: the text under which it is stored. ``Rule("CASCADE")`` is ``CASCADE``.

    ``list(Rule)`` lists those that :func:`on_delete` takes, which are all but ``RESELECT``.

    The defaults are those of a rule that does nothing; each rule overrides what it does.

    Attributes:
        cascades: Whether the referrer is deleted with the target.
        edits: Whether the referrer stays and loses the reference; such a rule cannot hold for a parent.
        removes: Whether an edit takes the entry out of its container. Otherwise it puts :meth:`replacement` there.
        selects: Whether it belongs to references by selection, where an edit chooses another match.
        effect: What an edit does to the reference, as the end of a sentence about the referrer.
        colour: Its colour in drawings, as ``#rrggbb``.
        style: Its colour in a terminal: one that the user has chosen to be readable there.
    """

    __slots__ = ()
    RESTRICT: ClassVar[Rule]
    PROTECT: ClassVar[Rule]
    CASCADE: ClassVar[Rule]
    SET_NULL: ClassVar[Rule]
    SET_DEFAULT: ClassVar[Rule]
    REMOVE: ClassVar[Rule]
    RESELECT: ClassVar[Rule]
    cascades: ClassVar[bool] = False
    edits: ClassVar[bool] = False
    removes: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    effect: ClassVar[str] = ""
    colour: ClassVar[str]
    style: ClassVar[str]

    def __new__(cls, name: str) -> Rule:  # noqa: PYI034 - a rule is of a class of its own
        """Return the rule of that name.

        Raises:
            ValueError: There is no such rule.
        """
        if isinstance(name, Rule):
            return name
        found: Rule | None = next((rule for rule in (*Rule, RESELECT) if rule == name), None)
        if found is not None:
            return found
        message = f"{name!r:.40} is not a delete rule"
        raise ValueError(message)

    def __repr__(self) -> str:
        return f"<Rule.{self}: {str(self)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Rule, (str(self),)

    def blocks(self, *, goes: bool, is_named: bool) -> bool:  # noqa: ARG002 - for those that block
        """Tell whether the reference forbids the delete of its target.

        Args:
            goes: Whether the referrer is deleted in the same commit.
            is_named: Whether it is because the caller named it, and not because a cascade reached it.
        """
        return False

    def replacement(self, default: Key | None) -> Key | None:  # noqa: ARG002 - for those that use it
        """Return the key that an edit puts where the reference was, None for null.

        Args:
            default: The key that is stored with the reference; see :meth:`fallback`.
        """
        return None

    def can_edit(self, default: Key | None, absent: AbstractSet[Key]) -> bool:  # noqa: ARG002 - for those that use it
        """Tell whether an edit leaves a reference that resolves, where the ``absent`` keys do not."""
        return self.edits

    def becomes(self, default: Key | None) -> str:
        """Return what an edit makes of the reference, for people."""
        return "removed" if self.removes else str(self.replacement(default) or "null")

    def fallback(self, default: Any) -> Any:  # noqa: ARG002 - for those that use it
        """Return the reference that is stored with each one for :meth:`replacement`; None where none is needed.

        Args:
            default: The default of the field.
        """
        return None

    def refusal(self, site: Site) -> tuple[str, str] | None:  # noqa: ARG002 - for those that refuse
        """Return why the rule cannot work where a reference is declared, and a hint; None where it can."""
        return None


class _Restrict(Rule):
    """Block the delete, unless the same commit deletes the referrer."""

    __slots__ = ()
    colour, style = "#475569", "blue"

    def blocks(self, *, goes: bool, is_named: bool) -> bool:  # noqa: ARG002 - see Rule
        return not goes


class _Protect(Rule):
    """Block the delete, unless the call names the referrer too."""

    __slots__ = ()
    colour, style = "#dc2626", "red"

    def blocks(self, *, goes: bool, is_named: bool) -> bool:  # noqa: ARG002 - see Rule
        return not is_named


class _Cascade(Rule):
    """Delete the referrer too."""

    __slots__ = ()
    cascades = True
    colour, style = "#ea580c", "yellow"


class _SetNull(Rule):
    """Set the reference to null."""

    __slots__ = ()
    edits = True
    effect = "sets it to null"
    colour, style = "#059669", "green"

    def refusal(self, site: Site) -> tuple[str, str] | None:
        if site.nullable and site.container not in {"key", "set"}:
            return None
        return (
            "SET_NULL needs a place that may be null, outside a set and the keys of a map",
            "write Ref[Target] | None, or choose another rule",
        )


class _SetDefault(Rule):
    """Set the field to its default; block the delete if the default does not exist."""

    __slots__ = ()
    edits = True
    effect = "sets it to the default"
    colour, style = "#0891b2", "cyan"

    def replacement(self, default: Key | None) -> Key | None:
        return default

    def can_edit(self, default: Key | None, absent: AbstractSet[Key]) -> bool:
        return default is not None and default not in absent

    def fallback(self, default: Any) -> Any:
        return default

    def refusal(self, site: Site) -> tuple[str, str] | None:
        if site.default is not None and not site.container:
            return None
        return (
            "SET_DEFAULT needs a single reference with a default that is always the same, and so no default_factory",
            "give the field a default, or choose another rule",
        )


class _Remove(Rule):
    """Take the entry out of its list, set or map."""

    __slots__ = ()
    edits = True
    removes = True
    effect = "takes the entry out"
    colour, style = "#7c3aed", "magenta"

    def refusal(self, site: Site) -> tuple[str, str] | None:
        if not site.container:
            return (
                "REMOVE takes an entry out of a list, set or map, and this reference is no entry of one",
                "put it directly into a list, set or dict, or choose another rule",
            )
        if site.min_length:
            return (
                f"REMOVE may empty a container that must keep {site.min_length} entries",
                "allow it to be empty, or choose another rule",
            )
        return None


class _Reselect(Rule):
    """Choose another match of the selection; it blocks where none is left."""

    __slots__ = ()
    edits = True
    selects = True
    effect = "chooses another match"
    colour, style = "#a16207", "bright_blue"

    def becomes(self, default: Key | None) -> str:
        return str(default or "another match")

    def refusal(self, site: Site) -> tuple[str, str] | None:  # noqa: ARG002 - see Rule
        return "RESELECT is the rule of some_of(…) alone", "use some_of(…), or choose another rule"


RESTRICT: Rule = str.__new__(_Restrict, "RESTRICT")
PROTECT: Rule = str.__new__(_Protect, "PROTECT")
CASCADE: Rule = str.__new__(_Cascade, "CASCADE")
SET_NULL: Rule = str.__new__(_SetNull, "SET_NULL")
SET_DEFAULT: Rule = str.__new__(_SetDefault, "SET_DEFAULT")
REMOVE: Rule = str.__new__(_Remove, "REMOVE")
RESELECT: Rule = str.__new__(_Reselect, "RESELECT")
_RULES = (RESTRICT, PROTECT, CASCADE, SET_NULL, SET_DEFAULT, REMOVE)
for _rule in (*_RULES, RESELECT):
    setattr(Rule, _rule, _rule)
