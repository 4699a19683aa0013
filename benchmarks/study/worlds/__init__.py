"""What the studies on recorded data are made of: files that runs read, made once."""
