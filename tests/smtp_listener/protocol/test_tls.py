"""The listener's certificate."""

import os
import ssl
import stat
from contextlib import suppress

import pytest
from cryptography import x509

from smtp_listener.protocol import tls
from smtp_listener.protocol.tls import CertificateError, certificate, own_pair


def names(path):
    found = x509.load_pem_x509_certificate(path.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return found.value.get_values_for_type(x509.DNSName)


def served_name(given):
    """Return the first name in the certificate that a client of this context is shown."""
    server_in, server_out, client_in, client_out = (ssl.MemoryBIO() for _ in range(4))
    server = given.context.wrap_bio(server_in, server_out, server_side=True)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_bio(client_in, client_out)
    for _ in range(3):
        for side, incoming, outgoing in (
            (client, server_in, client_out),
            (server, client_in, server_out),
        ):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            incoming.write(outgoing.read())
    der = client.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


def make(folder, hostname):
    folder.mkdir(exist_ok=True)
    both, _ = own_pair(folder / hostname, hostname)
    return both


def test_a_self_signed_one_is_made_once_and_is_ours_alone(tmp_path):
    first, _ = own_pair(tmp_path / "tls", "relay.test")
    content = first.read_bytes()
    assert own_pair(tmp_path / "tls", "other.test") == (first, first)
    assert first.read_bytes() == content
    assert names(first) == ["relay.test", "localhost"]
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert [file.name for file in first.parent.iterdir()] == ["self-signed.pem"]


def test_a_certificate_that_changes_is_served_without_a_restart(tmp_path):
    file = tmp_path / "cert.pem"
    file.write_bytes(make(tmp_path, "old.test").read_bytes())
    given = certificate(str(file), str(file), data=tmp_path, hostname="relay.test")
    assert served_name(given) == "CN=old.test"
    file.write_bytes(make(tmp_path, "new.test").read_bytes())
    given._looked -= tls.LOOK_EVERY
    given.refresh()
    assert served_name(given) == "CN=new.test"


def test_a_broken_change_is_logged_and_the_old_one_serves_on(tmp_path, caplog):
    file = tmp_path / "cert.pem"
    file.write_bytes(make(tmp_path, "old.test").read_bytes())
    given = certificate(str(file), str(file), data=tmp_path, hostname="relay.test")
    file.write_bytes(b"half a fi")
    given._looked -= tls.LOOK_EVERY
    given.refresh()
    assert served_name(given) == "CN=old.test"
    assert "the changed certificate is not used" in caplog.text


def test_files_that_cannot_be_used_are_named_in_one_line(tmp_path):
    pair = make(tmp_path, "a.test")
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for cert, key, expected in [
        (str(pair), "", "EKIDEN_TLS_CERT and EKIDEN_TLS_KEY go together"),
        (str(pair), str(tmp_path / "none.pem"), f"There is no file {tmp_path / 'none.pem'}"),
        (str(empty), str(pair), f"{empty} and {pair} are no matching pair"),
    ]:
        with pytest.raises(CertificateError) as caught:
            certificate(cert, key, data=tmp_path, hostname="relay.test")
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


def test_tls_before_1_2_is_not_spoken(tmp_path):
    given = certificate("", "", data=tmp_path, hostname="relay.test")
    assert given.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert os.path.exists(tmp_path / "tls" / "self-signed.pem")
