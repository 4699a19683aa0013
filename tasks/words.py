"""Length as people perceive it."""


def num_words(text: str) -> int:
    """How many words `text` has: runs of characters between white space."""
    return len(text.split())
