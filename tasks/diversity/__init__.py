"""How different a round's responses are, by cell and by prompt; pure."""
