"""Whole corpora: JSON Lines or Parquet of any size, compressed shard by shard by several processes or machines."""
