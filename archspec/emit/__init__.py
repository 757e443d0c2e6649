"""Graph to a torch.fx model."""
