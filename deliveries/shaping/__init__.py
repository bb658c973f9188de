"""How fast to write to whom: what receivers publish, what they say when it was too fast, and what
is learned from that.
"""
