"""The garbage collection as a flow."""
