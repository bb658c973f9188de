import pytest

from deliveries.smtp.mail import Mail, UnsafeMail

GOOD = b"Subject: x\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no end",
        b"a\nb\r\n",
        b"a\rb\r\n",
        b"a\r\n.\n\r\n",
        b"a\n\r\n",
        b"a\r\r\n",
        b"a\r\n\r",
        b"\n.\r\n",
        b"a\n\rb\r\n",
    ],
)
def test_content_with_any_line_end_but_crlf_is_refused(content):
    with pytest.raises(UnsafeMail):
        Mail("a@a.test", "b@b.test", content)


@pytest.mark.parametrize(
    "address", ["a@b.test\r\nRCPT TO:<x@y.test>", "a\nb@c.test", "a\0@b.test", "é@b.test"]
)
def test_an_address_that_would_not_stay_an_argument_is_refused(address):
    with pytest.raises(UnsafeMail):
        Mail(address, "b@b.test", GOOD)
    with pytest.raises(UnsafeMail):
        Mail("a@a.test", address, GOOD)


def test_internationalized_addresses_go_with_smtputf8():
    assert Mail("", "é@b.test", GOOD, smtputf8=True).recipient == "é@b.test"
