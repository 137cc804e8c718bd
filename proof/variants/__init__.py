"""Backends that are broken in ways in which people break them, and which rule of the contract catches each.

The mutants of ``tests/contracts`` are made for one rule each, and must be caught by it. These were written the other
way round: from what goes wrong in databases and drivers, without a look at the suite. One that survives is a finding.
"""
