"""Faults on servers: the servers, what is done to them, the clients that meet it, and the phases made of these."""
