"""Finding a message by whatever a person has at hand: the
index of its words, and what an input is taken for.
"""
