"""Whether a network and a reference are the same: matching and comparing."""
