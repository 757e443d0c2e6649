"""Fuzzing: whatever the input, a result or coded diagnostics, within a second and 300 MiB.

``python -m tests.tools.fuzz`` runs it.
"""
