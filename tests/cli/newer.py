"""The newest version of a model, as a user of ``--models`` would have it."""

from emco_store.contracts.migration_models import Berth, Hull4

__all__ = ["Berth", "Hull4"]
