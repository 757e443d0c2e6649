"""The command line: one thin file a command. It installs as ``archspec_cli``."""
