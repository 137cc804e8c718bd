"""Flows: what to ask a backend, in what order; pure generators that two shells drive, one blocking and one asyncio."""
