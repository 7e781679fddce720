"""What in a prompt has to do with what is asked: a frozen sentence encoder and the features of each unit.

encoder.py    texts -> embeddings: load, embed, read spans in context, cache
storage.py    the shipped encoder's file: 4-bit layers, a 3-bit vocabulary; checked and loaded
pack.py       makes that file from the published weights
lexical.py    which words of the question a unit repeats, weighted by rarity
features.py   features per unit, fixed ones and those of what is kept and dropped so far
"""
