"""Whether a compiled network is the same as a reference: one form for both graphs, matching, and equal outputs."""
