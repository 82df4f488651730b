"""What `hybridlm new` writes, and how."""
