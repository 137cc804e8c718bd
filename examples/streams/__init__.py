"""A stream job that survives its workers: leases, checkpoints, fencing and a supervisor, under chaos.

``python -m examples.streams`` runs it for a minute on a Redis server of its own, kills, stops and cuts off processes
meanwhile, and compares the sums with a formula. ``--unsafe`` leaves out the fence, and the sums come out wrong.

Begin with ``models.py`` and ``worker.py``.
"""
