"""One operation a file: shape, weights, costs, and its form in torch as data."""
