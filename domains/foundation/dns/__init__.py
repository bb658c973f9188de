"""DNS: one question, the servers that are asked, and typed answers."""

from dns import _features

# Ours are questions by UDP and TCP. Where an HTTP client happens to be installed, dnspython would
# read it in for questions by HTTP, in each process and before any name is looked up.
_features.force("doh", False)
