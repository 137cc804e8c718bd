"""Bad input, as tables: each input is one clear error, and nothing is lost."""
