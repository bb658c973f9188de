"""How the portal reads requests and writes answers, so that no slow client holds a thread."""
