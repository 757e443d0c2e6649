"""Bombs: specs that ask for as much work as the limits of a file allow, a family for each loop over what authors write.

``python -m tests.tools.fuzz bombs`` runs them with the command, each in a fresh process.
"""
