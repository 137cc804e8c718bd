"""Histories of what clients did, and checkers that find answers in them which no correct store could have given.

Workloads record a history while clients race in threads, tasks or processes; a checker judges it afterwards. Tests show
that each checker can fail, with histories written by hand and with backends that are broken on purpose.
"""
