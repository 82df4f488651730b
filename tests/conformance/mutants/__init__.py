"""Broken strategies: for each check at least one that it, or its family, catches."""
