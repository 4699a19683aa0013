"""The trainer: `python -m tasks.training WORKDIR` trains or scores, touching local paths only."""
