"""Human corrections: their store, history and JSONL export (not built yet)."""
