"""Which comparisons people see: evidence, choice under a budget, and the items in their order."""
