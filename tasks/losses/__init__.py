"""Training objectives, one per file: `kind: dpo` is `dpo.py`."""
