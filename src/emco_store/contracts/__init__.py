"""The conformance suite: every rule of the contract as tests that a backend passes, in both modes.

::

    # conftest.py
    pytest_plugins = ["emco_store.contracts.plugin"]

    # test_my_backend.py
    from emco_store.contracts.suite import Conformance, Harness
    from my_backend import MyBackend

    class TestMyBackend(Conformance):
        harness = Harness("my-backend", MyBackend)
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"emco_store.contracts.{name}"
        for name in (
            "atomicity",
            "bad_input",
            "commits",
            "concurrency",
            "deletes",
            "durability",
            "harness",
            "identity",
            "interleavings",
            "lists",
            "machine",
            "phantoms",
            "plans",
            "references",
            "removals",
            "stored_rules",
            "transactions",
            "uniques",
            "unreadable",
            "values",
        )
    )
)
