"""What is true of the MongoDB backend alone: its failures, its topologies, its clients and its documents."""
