"""What an app's developer writes into the settings of a framework: the same as docs/sending.md has
(a test compares them), with the installation's own values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings

# What stands in the texts, as in the documentation. SECRET is no word within SMTP_SECRET.
HOST, TLS_PORT, STARTTLS_PORT, USER, SECRET = "relay.example.com", "465", "587", "USER", "SECRET"
_STANDS = re.compile(
    "|".join(rf"\b{re.escape(word)}\b" for word in (HOST, TLS_PORT, STARTTLS_PORT, USER, SECRET))
    + r"|\b(?:hello|errors)@shop\.example\b"
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """`name` of the framework, `file` in which the text goes (may be empty), the text."""

    name: str
    file: str
    text: str


SNIPPETS = (
    Snippet(
        "Django",
        "settings.py",
        """\
EMAIL_HOST = "relay.example.com"
EMAIL_PORT = 465
EMAIL_USE_SSL = True
EMAIL_HOST_USER = "USER"
EMAIL_HOST_PASSWORD = os.environ["SMTP_SECRET"]
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = "Shop <hello@shop.example>"
SERVER_EMAIL = "errors@shop.example"
""",
    ),
    Snippet(
        "Rails",
        "config/environments/production.rb",
        """\
config.action_mailer.smtp_settings = {
  address: "relay.example.com", port: 465, tls: true,
  user_name: "USER", password: ENV["SMTP_SECRET"], authentication: :plain,
  open_timeout: 30, read_timeout: 60
}
""",
    ),
    Snippet(
        "Laravel",
        ".env",
        """\
MAIL_MAILER=smtp
MAIL_SCHEME=smtps
MAIL_HOST=relay.example.com
MAIL_PORT=465
MAIL_USERNAME=USER
MAIL_PASSWORD=SECRET
MAIL_FROM_ADDRESS=hello@shop.example
""",
    ),
    Snippet(
        "PHP",
        "",
        """\
$mail->isSMTP();
$mail->Host = 'relay.example.com';
$mail->Port = 465;
$mail->SMTPSecure = PHPMailer::ENCRYPTION_SMTPS;
$mail->SMTPAuth = true;
$mail->Username = 'USER';
$mail->Password = getenv('SMTP_SECRET');
$mail->SMTPKeepAlive = true;
$mail->setFrom('hello@shop.example');
""",
    ),
    Snippet(
        "Nodemailer",
        "",
        """\
const transport = nodemailer.createTransport({
  host: "relay.example.com", port: 465, secure: true, pool: true, maxConnections: 5,
  auth: { user: "USER", pass: process.env.SMTP_SECRET },
});
""",
    ),
    Snippet(
        "Spring Boot",
        "application.properties",
        """\
spring.mail.host=relay.example.com
spring.mail.port=587
spring.mail.username=USER
spring.mail.password=${SMTP_SECRET}
spring.mail.properties.mail.smtp.auth=true
spring.mail.properties.mail.smtp.starttls.enable=true
spring.mail.properties.mail.smtp.starttls.required=true
spring.mail.properties.mail.smtp.connectiontimeout=30000
spring.mail.properties.mail.smtp.timeout=60000
""",
    ),
    Snippet(
        "Go",
        "",
        """\
auth := smtp.PlainAuth("", "USER", os.Getenv("SMTP_SECRET"), "relay.example.com")
err := smtp.SendMail("relay.example.com:587", auth, "hello@shop.example", recipients, message)
""",
    ),
    Snippet(
        "WordPress",
        "wp-content/mu-plugins/smtp.php",
        """\
<?php
add_action('phpmailer_init', function ($mail) {
    $mail->isSMTP();
    $mail->Host = 'relay.example.com';
    $mail->Port = 465;
    $mail->SMTPSecure = 'ssl';
    $mail->SMTPAuth = true;
    $mail->Username = 'USER';
    $mail->Password = SMTP_SECRET;
});
add_filter('wp_mail_from', fn () => 'hello@shop.example');
""",
    ),
    Snippet(
        "Python",
        "",
        """\
with smtplib.SMTP_SSL("relay.example.com", 465, timeout=60) as smtp:
    smtp.login("USER", secret)
    smtp.send_message(message)
""",
    ),
    Snippet(
        "msmtp",
        "~/.msmtprc",
        """\
account default
host relay.example.com
port 465
tls on
tls_starttls off
auth on
user USER
password SECRET
from hello@shop.example
""",
    ),
    Snippet(
        "Postfix",
        "main.cf",
        """\
relayhost = [relay.example.com]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = secure
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
""",
    ),
)


def snippets(username: str, secret: str, sender: str) -> list[Snippet]:
    """Return the texts for a credential of this installation, `sender` being an address that it
    may send as.
    """
    values = {
        HOST: settings.EKIDEN_HOSTNAME,
        TLS_PORT: str(settings.EKIDEN_SUBMISSIONS_PORT),
        STARTTLS_PORT: str(settings.EKIDEN_SUBMISSION_PORT),
        USER: username,
        SECRET: secret,
    }
    return [
        Snippet(
            each.name,
            each.file,
            _STANDS.sub(lambda match: values.get(match[0], sender), each.text),
        )
        for each in SNIPPETS
    ]
