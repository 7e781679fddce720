"""Human corrections of masks and votes on answers: record, store, export. No torch, no Gradio; importing does nothing.

>>> from annotations.record import checked   # one record, checked
>>> from annotations.store import open_store  # the database: open_store() -> Store
>>> from annotations.files.export import export     # JSONL, CSV, Parquet, data set
"""
