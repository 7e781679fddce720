"""Compression over HTTP: a service that gateways call, and a proxy in front of a language model.

`serve.py` and `proxy/` are the two programs. Both shorten messages by way of `Shortener`: a conversation is split into
turns (`turns.py`), each turn is shortened on its own by one of a few worker threads (`pool.py`), and what came out is
remembered (`memo.py`), so that a message that was sent before has the same bytes when it is sent again.

They are handed a `model.Compressor` and need the extra `service`.
"""
