"""A proxy in front of a language model's server, which shortens what is sent to it.

`protocols.py` reads and writes the bodies of OpenAI's and Anthropic's requests, `upstream.py` hands requests on and
replies back, byte for byte, and `app.py` puts both together.
"""
