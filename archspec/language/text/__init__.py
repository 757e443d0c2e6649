"""Files and YAML: reading text with the place of every value."""
