"""Does it work: TSO beside what it could be left out of it, in ordinary runs."""
