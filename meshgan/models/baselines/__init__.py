"""Models that the adversarial one is compared with, or starts from."""
