"""Reading: from the user's files (CSV, JSON lines, Parquet, TFRecord, text, pictures) to batches that know positions.

`check_rows` turns a batch into typed columns; ingest and predict share both. Knows nothing of splits or models.
"""
