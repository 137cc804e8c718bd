"""Histories of what clients did, and the checkers that find in them what no correct store could have answered.

Workloads write a history while clients race in threads, tasks or processes; a checker judges it afterwards. Each
checker is shown to be able to fail, by histories written by hand and by backends that are broken on purpose.
"""
