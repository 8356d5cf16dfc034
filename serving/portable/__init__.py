"""Write served models as files that other programs read, and measure that they compute the same."""
