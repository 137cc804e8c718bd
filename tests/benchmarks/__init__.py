"""The measuring instrument: it runs, it judges rightly, and what it calls safe is safe."""
