"""Text to Spec: schema, merging, definitions and the stage table."""
