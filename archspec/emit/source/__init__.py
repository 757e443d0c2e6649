"""What the targets that write Python source share: the printer, names, docstrings, and the comment at the top."""
