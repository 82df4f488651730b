"""What strategies, and HybridLM itself, are tested with."""
