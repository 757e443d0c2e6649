"""Networks of timm that torchvision does not have, found by their names as the others are."""
