"""What a round costs beyond its models, door by door, as the number of prompts grows."""
