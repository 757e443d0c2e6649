"""What several tests share: comparing networks, references, networks written by hand, bounds of time and work."""
