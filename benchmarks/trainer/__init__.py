"""The trainer beside TRL's DPOTrainer: speed, memory, loss trajectory, time to accuracy."""
