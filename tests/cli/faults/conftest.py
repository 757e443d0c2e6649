"""The fixtures of the command line's tests: ``run`` calls a command here, ``here`` and ``small`` are where it runs."""

from tests.cli.conftest import here, run, small

__all__ = ["here", "run", "small"]
