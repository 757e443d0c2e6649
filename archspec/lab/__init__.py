"""The lab: training networks, and experiments about them."""
