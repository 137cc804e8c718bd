"""The conformance suite itself under test: it bites, it names its rules, and strangers can use it."""
