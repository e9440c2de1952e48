"""The red-flag rule set and its evaluation."""
