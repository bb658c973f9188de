"""The key that signs return paths: derived from the installation's secret, used for nothing else."""

import hashlib

from django.conf import settings


def return_path_key() -> bytes:
    return hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"vrp key").digest()
