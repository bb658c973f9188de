import pytest

from deliveries.message.parts import GUARD, attachment, parts_of

MAIL = (
    b"Subject: hi\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
    b"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    b"--a\r\nContent-Type: text/plain\r\n\r\nwords\r\n"
    b"--a\r\nContent-Type: text/html; charset=iso-2022-jp\r\n\r\n<p>\x1b$B$4CmJ8\x1b(B</p>\r\n"
    b"--a--\r\n"
    b"--m\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="../in\x1bvoice.pdf"\r\n\r\nJVBERg==\r\n--m--\r\n'
)


def test_html_comes_behind_what_forbids_it_all_and_attachments_as_they_were():
    parts = parts_of(MAIL)
    assert parts.html.startswith(GUARD)
    assert "<p>ご注文</p>" in parts.html
    [only] = parts.attachments
    assert (only.number, only.size) == (0, 4)
    assert "\x1b" not in only.name
    assert attachment(MAIL, 0) == b"%PDF"
    assert attachment(MAIL, 1) is attachment(MAIL, -1) is None


@pytest.mark.parametrize("end", range(0, len(MAIL), 17))
def test_a_message_that_was_cut_is_read_as_far_as_it_goes(end):
    parts_of(MAIL[:end])
    attachment(MAIL[:end], 0)


def test_a_text_alone_has_no_other_parts():
    assert parts_of(b"Subject: hi\r\n\r\nwords\r\n") == ("", [])
