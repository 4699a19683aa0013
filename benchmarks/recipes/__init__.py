"""TSO beside the published methods that recipes are: in the quickstart's world and on GSM8K."""
