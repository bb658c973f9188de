"""Log-in by an OpenID provider, which says who a person is and to which groups they belong."""
