"""The key-value base: a whole backend over anything that is an ordered map with snapshots and a guarded write."""
