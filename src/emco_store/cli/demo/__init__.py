"""``emco-store demo``: what the store does for its users, shown on real calls in less than a minute."""

from emco_store.cli.demo.show import demo

__all__ = ["demo"]
