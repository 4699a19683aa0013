"""How single responses get a label: who says that a response is desirable."""
