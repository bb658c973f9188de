"""What `./ekiden bench` runs beside the service: a load generator, a sink, and the accounts of
both.
"""
