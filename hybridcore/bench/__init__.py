"""What things cost, printed: nothing here is asserted by a test."""
