"""The conformance suite: tests for every rule of the contract, which a backend passes in both modes.

::

    # conftest.py
    pytest_plugins = ["emco_store.contracts.plugin"]

    # test_my_backend.py
    from emco_store.contracts.suite import Conformance, Harness
    from my_backend import MyBackend

    class TestMyBackend(Conformance):
        harness = Harness("my-backend", MyBackend)
"""

from pkgutil import iter_modules

import pytest

# Every module, so that none can be missing. The package itself is being imported: it is too late to rewrite it.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
