"""How several people's answers to one comparison become one, one way per file."""
