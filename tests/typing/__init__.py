"""Files that the type checkers read and nobody runs: each asserts the type that a caller sees."""
