"""etcd: the ordered map of the key-value base over etcd's API, version 3."""
