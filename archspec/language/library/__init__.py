"""The blocks, shortcuts, fragments and namings that ship, written in the language."""
