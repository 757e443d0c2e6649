"""The command line: one thin file a command, and `render` for everything that a terminal sees."""
