"""The language a second time: an interpreter written from docs/language.md, and archspec compared with it.

The interpreter is ``network.py`` and what it imports. It shares no code with archspec. The files ``random_*.py`` draw
specs. Only ``compare.py`` and ``run.py`` import archspec.
"""
