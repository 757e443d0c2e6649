"""``python -m archspec``: the command."""

from __future__ import annotations

import sys

from archspec_cli.start import main  # type: ignore[import-not-found]  # in the folder `cli`

if __name__ == "__main__":  # processes that `archspec test --jobs` starts import this module
    sys.exit(main())
