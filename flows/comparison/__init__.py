"""Methods beside each other: ordinary runs in one store, and one table of what they came to."""
