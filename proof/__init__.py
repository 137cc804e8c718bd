"""Attacks on the promises: the long runs of ``python3 dev.py prove``, on real servers and in a simulation.

The histories that the workloads write are recorded and judged by :mod:`emco_store.contracts.histories`.
"""
