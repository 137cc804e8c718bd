"""Leases that this process holds, and how it tells the server that it lives."""

from emco_store.beating.beater import Beater, MakePort, no_leases_from
from emco_store.beating.clocks import own_us, this_process
from emco_store.beating.held import Lease, required

__all__ = ["Beater", "Lease", "MakePort", "no_leases_from", "own_us", "required", "this_process"]
