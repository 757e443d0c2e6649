"""Mutation testing: small faults put into archspec, one by one, that a test must notice.

``python -m tests.tools.mutants`` runs it.

mutmut leaves class bodies alone, where the operations declare what they are, and cosmic-ray starts a process that
imports torch for every mutant; this runner forks one that has imported it, and writes nothing into the tree.
"""
