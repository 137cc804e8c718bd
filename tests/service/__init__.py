"""Resources over HTTP: ``emco_store.fastapi`` and the example that uses it."""
