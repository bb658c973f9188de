"""What the clients of docs/sending.md make of one refused recipient, and that it leaves a trace
whatever they say.
"""

import json
import os
import smtplib
import subprocess
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys import compiled, peers
from tests.journeys.clients import MSMTP_CONF
from tests.journeys.rig import SENDER, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PHP = """
require "/usr/share/php/libphp-phpmailer/autoload.php";
[$port, $user, $pass, $from, $good, $bad] = json_decode(getenv("MAIL"));
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSMTP(); $mail->Host = "127.0.0.1"; $mail->Port = $port;
$mail->SMTPSecure = "tls"; $mail->SMTPAuth = true;
$mail->SMTPOptions = ["ssl" => [
    "verify_peer" => false, "verify_peer_name" => false, "allow_self_signed" => true]];
$mail->Username = $user; $mail->Password = $pass; $mail->setFrom($from);
$mail->addAddress($good); $mail->addAddress($bad);
$mail->Subject = "hello"; $mail->Body = "hello";
try { $mail->send(); echo "sent"; } catch (Exception $error) { echo $error->getMessage(); }
"""
NODE = """
const [port, user, pass, from, good, bad] = JSON.parse(process.env.MAIL);
require(process.env.NODEMAILER).createTransport({
    host: "127.0.0.1", port, requireTLS: true, auth: {user, pass}, tls: {rejectUnauthorized: false},
}).sendMail({from, to: [good, bad], text: "hello"})
    .then(info => console.log("sent, rejected: " + info.rejected),
        error => console.log(error.code));
"""
LETTER = f"From: shop@{SENDER}\r\nSubject: hello\r\n\r\nhello\r\n"


def run(*command, given="", **env):
    done = subprocess.run(
        command, input=given.encode(), env=os.environ | env, capture_output=True, timeout=300
    )
    return (
        f"{done.returncode} {done.stdout.decode(errors='replace')} "
        f"{done.stderr.decode(errors='replace')}"
    )


def about(rig, good, bad):
    return json.dumps([rig.submission, *rig.login, f"shop@{SENDER}", good, bad])


def by_smtplib(rig, good, bad, folder):
    message = EmailMessage()
    message["From"], message["To"] = f"shop@{SENDER}", f"{good}, {bad}"
    message.set_content("hello")
    with rig.client() as client:
        return f"sent, refused: {[*client.send_message(message)]}"


def by_phpmailer(rig, good, bad, folder):
    peers.need("php", Path("/usr/share/php/libphp-phpmailer"))
    return run("php", "-r", PHP, MAIL=about(rig, good, bad))


def by_nodemailer(rig, good, bad, folder):
    peers.need("node", peers.NODEMAILER)
    return run("node", "-e", NODE, MAIL=about(rig, good, bad), NODEMAILER=str(peers.NODEMAILER))


def by_curl(rig, good, bad, folder, *more):
    peers.need("curl")
    username, password = rig.login
    (folder / "mail").write_text(LETTER, newline="")
    return run(
        "curl", "-sS", "--insecure", "--ssl-reqd", "--url", f"smtp://127.0.0.1:{rig.submission}",
        "--user", f"{username}:{password}",
        "--mail-from", f"shop@{SENDER}", "--mail-rcpt", good, "--mail-rcpt", bad, "--upload-file",
        str(folder / "mail"), *more,
    )  # fmt: skip


def by_lenient_curl(rig, good, bad, folder):
    return by_curl(rig, good, bad, folder, "--mail-rcpt-allowfails")


def by_swaks(rig, good, bad, folder):
    peers.need("swaks")
    username, password = rig.login
    return run(
        "swaks", "--server", f"127.0.0.1:{rig.submission}", "--tls", "--auth", "LOGIN",
        "--auth-user", username,
        "--auth-password", password, "--from", f"shop@{SENDER}", "--to", f"{good},{bad}", "--data",
        LETTER.replace("\r\n", "\\n"),
        "--hide-all",
    )  # fmt: skip


def by_msmtp(rig, good, bad, folder):
    peers.need("msmtp")
    username, password = rig.login
    conf = folder / "msmtprc"
    conf.write_text(
        MSMTP_CONF.format(port=rig.submission, starttls="on", username=username, password=password)
    )
    conf.chmod(0o600)
    return run(
        "msmtp",
        "-C",
        str(conf),
        "-f",
        f"shop@{SENDER}",
        "--",
        good,
        bad,
        given=LETTER.replace("\r\n", "\n"),
    )


def by_javamail(rig, good, bad, folder):
    return run(
        *compiled.java_client("Send"), str(rig.submission), *rig.login, f"shop@{SENDER}", good, bad
    )


def by_system_net_mail(rig, good, bad, folder):
    command = compiled.dotnet_client()
    with rig.trusting("127.0.0.1"):
        return run(*command, str(rig.submission), f"shop@{SENDER}", good, bad)


def by_go(rig, good, bad, folder):
    (folder / "mail").write_text(LETTER, newline="")
    given = compiled.described(
        rig, folder / "mail", f"shop@{SENDER}", [good, bad], implicit_tls=False
    )
    return run(compiled.go_client(), MAIL=given)


# What docs/sending.md says: the client's words, and whether the other recipient gets the message.
CLIENTS = {
    by_smtplib: ("sent, refused", True),
    by_phpmailer: ("0 SMTP Error: The following recipients failed", True),
    by_nodemailer: ("0 sent, rejected: refused%", True),
    by_curl: ("55 ", False),
    by_lenient_curl: ("0 ", True),
    by_swaks: ("0 ", True),
    by_msmtp: ("65 ", False),
    by_javamail: ("0 javax.mail.SendFailedException", False),
    by_system_net_mail: ("0 SmtpFailedRecipientsException", False),
    by_go: ("1  550 5.7.1 Relaying denied", False),
}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_refused_recipient_leaves_a_trace_whatever_the_client_says(
    client, rig, recorder, tmp_path
):
    token = uuid.uuid4().hex[:8]
    good, bad = f"box-{token}@recorder.test", f"refused%{token}@recorder.test"
    words, is_sent = CLIENTS[client]
    said = client(rig, good, bad, tmp_path)
    assert said.startswith(words), said
    look = "SELECT command, mail_from, code, text FROM deliveries_refusal WHERE recipient = %s"
    [row] = wait_until(lambda: rig.query(look, bad), "the refusal is written down")
    assert row == ("RCPT", f"shop@{SENDER}", 550, "Relaying denied")
    if is_sent:
        rig.wait_for_state(good, "delivered")
    else:
        assert not rig.query("SELECT 1 FROM deliveries_delivery WHERE recipient = %s", good)


def test_where_all_are_refused_the_client_says_so_and_trace_too(rig):
    with rig.client() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail(f"shop@{SENDER}", ["a%b@recorder.test"], LETTER)
    wait_until(
        lambda: rig.query(
            "SELECT 1 FROM deliveries_refusal WHERE recipient = %s", "a%b@recorder.test"
        ),
        "the refusal is written down",
    )
    assert "550 5.7.1 Relaying denied" in rig.manage("trace", "a%b@recorder.test")
