"""What a device exchanges in one go: batches of records, and the changes since the last time."""
