"""etcd as an ordered map, and what its servers do."""
