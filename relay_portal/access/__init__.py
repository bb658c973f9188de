"""Who gets in: the gate, log-ins, second factors, lock-out, sessions."""
