"""The rules about the code itself: its layers, its twins, its sizes and its public names."""
