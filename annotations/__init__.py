"""People's corrections of masks and their votes on answers: saved, exported, imported. No torch, no Gradio.

>>> from annotations.store import open_store               # the database: open_store() -> Store
>>> from annotations.files.export import export            # to JSONL, CSV, Parquet or a data set folder
>>> from annotations.files.importing import import_file    # and back
>>> from model.record import CorrectionRecord              # what is saved; votes are in annotations.votes
"""
