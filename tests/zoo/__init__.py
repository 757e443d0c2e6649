"""The zoo against what its specs say that they reproduce."""
