"""How good a round's feedback is: biases of each judge, agreement, drift, and floors; pure."""
