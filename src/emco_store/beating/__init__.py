"""Leases that this process holds, and how it tells the server that it lives: from a thread, or from a process."""

from emco_store.beating.beater import Beater, FindLaunch, MakePort, no_leases_from
from emco_store.beating.clocks import own_us, this_process
from emco_store.beating.held import Lease, required
from emco_store.beating.process import no_process_from

__all__ = [
    "Beater",
    "FindLaunch",
    "Lease",
    "MakePort",
    "no_leases_from",
    "no_process_from",
    "own_us",
    "required",
    "this_process",
]
