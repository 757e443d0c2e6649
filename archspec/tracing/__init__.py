"""A torch module, traced and brought into one canonical form."""
