# Generated from src/emco_store/_aio/__init__.py by `python3 dev.py sync`: do not edit.
"""The shell: it drives flows on a port. The blocking one is made from the time one."""
