"""``emco-store demo``: show in less than a minute, by real calls, what the store does for its users."""

from emco_store.cli.demo.show import demo

__all__ = ["demo"]
