"""The attacks on the promises, and the checkers that judge what came of them.

Workloads write a history of what they did; checkers look in it for what no correct store could have answered. Each
checker is shown to be able to fail, by histories written by hand and by backends that are broken on purpose.
"""
