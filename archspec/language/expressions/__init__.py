"""The language's expressions: tokens, parser, values."""
