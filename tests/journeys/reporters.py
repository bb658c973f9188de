"""Mail servers that write reports about what they could not deliver, each with a configuration of
its own and a script that hands it the messages in /messages, which are named for their recipients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.machine import MACHINES
from tests.journeys.peers import EXIM, MASTER_CF

HARAKA = MACHINES / "haraka" / "opt"
POSTFIX_CF = """
compatibility_level = 3.6
myhostname = mx.postfix.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
maillog_file = /var/log/mail.log
alias_maps =
alias_database =
smtp_dns_support_level = enabled
"""
EXIM_CONF = """
primary_hostname = mx.exim.test
keep_environment =
exim_path = EXIM
begin routers
outside:
  driver = dnslookup
  self = send
  transport = outside
begin transports
outside:
  driver = smtp
begin retry
* * F,1h,1m
"""
SENDMAIL_MC = """
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
FEATURE(`nocanonify')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
OPENSMTPD_CONF = """
mta limit conn-delay-host 0
mta limit conn-delay-source 0
mta limit conn-delay-connector 0
mta limit conn-delay-relay 0
mta limit conn-delay-domain 0
action outside relay
match from local for any action outside
"""
DOVECOT_CONF = """
protocols = lmtp
base_dir = /run/dovecot
log_path = /var/log/dovecot.log
ssl = no
postmaster_address = postmaster@mx.dovecot.test
sendmail_path = /usr/sbin/sendmail
mail_location = maildir:/srv/boxes/%u
mail_plugins = quota
plugin {
  quota = maildir:User quota
}
passdb {
  driver = static
  args = nopassword
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
service lmtp {
  unix_listener /var/spool/postfix/lmtp {
    mode = 0666
  }
}
"""
# Dovecot's boxes: the one of full.test holds an octet, and unknown.test has none.
DOVECOT_USERS = """
someone@full.test::65534:65534::/srv/boxes::userdb_quota_rule=*:bytes=1
"""
# For those without a `sendmail` command.
RELAYING = """
exports.hook_connect = (next, connection) => { connection.relaying = true; next() }
"""
HAND_IN = """
import os, pathlib, smtplib, time
for mail in pathlib.Path("/messages").iterdir():
    for attempt in range(100):
        try:
            session = smtplib.SMTP(os.environ["OWN"], 25, "client.test")
            break
        except OSError:
            time.sleep(0.1)
    session.sendmail(os.environ["SENDER"], [mail.name], mail.read_text())
    session.quit()
"""


@dataclass(frozen=True)
class Reporter:
    """`needs` is what it cannot run without."""

    name: str
    needs: Path
    script: str
    files: Mapping[str, str] = field(default_factory=dict)


# What a mailbox store refuses, Postfix reports from its LMTP, and Dovecot's own deliverer itself.
STORE = Reporter(
    "dovecot",
    MACHINES / "dovecot",
    """
for name in dovecot dovenull; do id $name 2>/dev/null || useradd -r -U $name; done
mkdir -p /var/spool/postfix /var/lib/postfix /srv/boxes
chown nobody /srv/boxes
dovecot
postfix start
cd /messages
sendmail -i -f "$SENDER" someone@unknown.test < someone@unknown.test
sendmail -i -f "$SENDER" someone@full.test < someone@full.test
/usr/lib/dovecot/dovecot-lda -d someone@full.test -f "$SENDER" < someone@full.test || true
exec tail -F /var/log/mail.log /var/log/dovecot.log
""",
    {
        "/etc/postfix/main.cf": POSTFIX_CF
        + """
transport_maps = inline:{unknown.test=lmtp:unix:lmtp, full.test=lmtp:unix:lmtp}
""",
        "/etc/postfix/master.cf": MASTER_CF.partition("smtpd\n")[2]
        + "pickup unix n - n 60 1 pickup\nlmtp unix - - n - - lmtp\n",
        "/etc/dovecot/dovecot.conf": DOVECOT_CONF,
        "/etc/dovecot/users": DOVECOT_USERS,
    },
)
REPORTERS = (
    Reporter("postfix", Path("/usr/sbin/postfix"), """
mkdir -p /var/spool/postfix /var/lib/postfix
postfix start
for mail in /messages/*; do sendmail -i -f "$SENDER" "${mail#/messages/}" < "$mail"; done
exec tail -F /var/log/mail.log
""", {"/etc/postfix/main.cf": POSTFIX_CF, "/etc/postfix/master.cf":
      MASTER_CF.partition("smtpd\n")[2] + "pickup unix n - n 60 1 pickup\n"}),
    Reporter("exim", EXIM, """
mkdir -p /var/spool/exim4 /var/log/exim4
chown Debian-exim: /var/spool/exim4 /var/log/exim4
for mail in /messages/*; do EXIM -odf -i -f "$SENDER" "${mail#/messages/}" < "$mail"; done
exec tail -F /var/log/exim4/mainlog
""".replace("EXIM", str(EXIM)), {"/etc/exim4/exim4.conf": EXIM_CONF.replace("EXIM", str(EXIM))}),
    Reporter("sendmail", MACHINES / "sendmail", """
groupadd -r smmta; useradd -r -g smmta smmta; groupadd -r smmsp; useradd -r -g smmsp smmsp
mkdir -p /var/spool/mqueue /etc/mail /run/sendmail
m4 /etc/mail/sendmail.mc > /etc/mail/sendmail.cf
touch /etc/mail/local-host-names
for mail in /messages/*; do
    /usr/libexec/sendmail/sendmail -Am -odi -i -f "$SENDER" "${mail#/messages/}" < "$mail" || true
done
exec sleep 60
""", {"/etc/mail/sendmail.mc": SENDMAIL_MC}),
    Reporter("opensmtpd", MACHINES / "opensmtpd", """
useradd -r opensmtpd; useradd -r opensmtpq
mkdir -p /var/spool/smtpd
chmod 711 /var/spool/smtpd
chgrp opensmtpq /usr/sbin/smtpctl
chmod 2755 /usr/sbin/smtpctl
ln -sf smtpctl /usr/sbin/send-mail
smtpd -d -f /etc/smtpd.conf &
sleep 1
for mail in /messages/*; do
    /usr/sbin/send-mail -f "$SENDER" "${mail#/messages/}" < "$mail"
done
wait
""", {"/etc/smtpd.conf": OPENSMTPD_CONF}),
    Reporter("dma", MACHINES / "dma", """
mkdir -p /var/spool/dma
chown root:mail /var/spool/dma; chmod 2775 /var/spool/dma
for mail in /messages/*; do dma -i -f "$SENDER" "${mail#/messages/}" < "$mail"; done
sleep 5
exec dma -D -q
""", {"/etc/dma/dma.conf": ""}),
    Reporter("courier", MACHINES / "courier", """
useradd -r -U -d /var/lib/courier courier
chown -R courier:courier /var/lib/courier
chown -R root:courier /etc/courier
chmod 770 /var/lib/courier/tmp
chown root:courier /usr/sbin/sendmail; chmod 2755 /usr/sbin/sendmail
chown courier:courier /usr/lib/courier/courier/submitmkdir
chmod 4755 /usr/lib/courier/courier/submitmkdir
install -d -g courier -m 775 /run/courier
cd /etc/courier
touch hosteddomains.dat esmtpacceptmailfor.dat
echo mx.courier.test | tee me > locals
makealiases
courier start
for mail in /messages/*; do sendmail -f "$SENDER" "${mail#/messages/}" < "$mail"; done
exec sleep 120
"""),
    Reporter("haraka", HARAKA, """
cd /srv/haraka
mkdir queue
cp -r /opt/node_modules/Haraka/config .
echo mx.haraka.test > config/me
echo relaying > config/plugins
printf 'listen=%s:25\nnodes=0\n' "$OWN" > config/smtp.ini
printf 'local_mx_ok=true\nalways_split=true\n' > config/outbound.ini
node /opt/node_modules/Haraka/bin/haraka -c /srv/haraka &
python3 /hand-in
wait
""", {"/hand-in": HAND_IN, "/srv/haraka/plugins/relaying.js": RELAYING}),
    Reporter("nullmailer", MACHINES / "nullmailer", """
mkfifo -m 622 /var/spool/nullmailer/trigger
chown mail /var/spool/nullmailer/trigger
echo "$SMARTHOST smtp" > /etc/nullmailer/remotes
nullmailer-send &
for mail in /messages/*; do nullmailer-inject -f "$SENDER" "${mail#/messages/}" < "$mail"; done
wait
"""),
)  # fmt: skip
