"""The rig itself: an app's message arrives, and a source is where a client comes from."""

from tests.outside.service import RECIPIENT


def test_an_apps_message_arrives(service):
    queue_id = service.send(source="127.7.0.1")
    look = "SELECT state FROM deliveries_delivery WHERE recipient = %s"
    service.wait_for(
        lambda: service.query(look, RECIPIENT) == [("delivered",)], "the message is delivered"
    )
    assert f"message={queue_id} event=accepted" in service.log()


def test_a_stranger_reaches_the_mx_port(service):
    assert (
        service.to_mx(
            b"Subject: hello\r\n\r\nHello\r\n", f"postmaster@{service.hostname}", "a@stranger.test"
        )[0]
        == 250
    )
    assert service.wait_for(
        lambda: "event=inbound kind=postmaster" in service.log(), "the letter is logged"
    )


def test_a_source_is_where_a_client_comes_from(service):
    with service.smtp(service.mx, source="127.7.0.9") as session:
        session.docmd("NONSENSE")
    assert service.wait_for(
        lambda: "client=127.7.0.9 event=refused" in service.log(), "the refusal is logged"
    )
