"""Sinks: where relays send messages to. Each module needs the driver that its name says.

``emco_store.sinks.aio_redis`` and ``emco_store.sinks.sync_redis`` are for Redis Streams, and
``emco_store.sinks.jetstream`` is for NATS JetStream.
"""
