"""What is said of a record that is not as it must be: one sentence for each slip, in English and
in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from domains.senders.explained import explained


class SlipRemark(NamedTuple):
    """A sentence by its code, and what it speaks of; kept in JSON, so plain texts only."""

    code: str
    given: dict[str, str]


SENTENCES: Mapping[str, str] = {
    # what the servers say
    "spreading": _(
        "%(have)s of %(servers)s name servers have it; missing at: %(lacking)s. Wait until all "
        "have taken the zone over, and look at its serial where one stays behind."
    ),
    "resolver-behind": _(
        "All name servers of the zone have it. Our resolver still remembers the earlier answer; "
        "so may receivers, for up to %(seconds)s seconds."
    ),
    "unreachable": _("No name server of the zone answers, and our resolver gets nothing either."),
    "bogus": _(
        "The zone's DNSSEC signatures do not hold, so receivers that validate see nothing of it. "
        "Look at the DS record at the registrar, and at the date of the signatures."
    ),
    # where it stands
    "cname-at-domain": _(
        "%(domain)s is a CNAME to %(target)s. A name with a CNAME has no other records, so none of "
        "its own is seen. Put A and AAAA records there instead (some panels call it ALIAS or "
        "flattening)."
    ),
    "cname-in-place": _(
        "%(name)s is a CNAME to %(target)s, where other things stand. Remove the CNAME and publish "
        "the record itself."
    ),
    "cname-to-nothing": _(
        "%(name)s is a CNAME to %(target)s, and nothing is published there. Correct its target, or "
        "remove it and publish the record itself."
    ),
    "address-in-place": _(
        "%(name)s has addresses (%(found)s) in place of the CNAME. Remove them; where the panel "
        "offers a proxy, turn it off for this name."
    ),
    "wildcard": _(
        "A wildcard (*) answers for %(name)s as for any other name: the record itself is not "
        "there. Publish it; it takes precedence over the wildcard."
    ),
    "doubled-zone": _(
        "The record stands at %(found)s: the panel adds the zone to the name by itself. Enter only "
        "%(label)s as its name."
    ),
    "at-domain": _("The record stands at %(domain)s itself. Give it the name %(name)s."),
    "no-underscore": _(
        "The record stands at %(found)s. Its name begins with an underscore: %(name)s."
    ),
    "no-domainkey": _(
        "The key stands at %(found)s. Its name must have ._domainkey in it: %(name)s."
    ),
    "type-spf": _(
        "The policy stands in a record of the type SPF, which nobody reads any more (RFC 7208, "
        "section 3.1). Publish it as TXT."
    ),
    # what it says
    "quotes": _("The value has quotation marks inside. Enter it without them."),
    "trailing-dot": _("The value ends with a dot that does not belong to it. Remove the dot."),
    "backslash": _("The value has backslashes inside, as of a zone file. Enter it without them."),
    "typographic": _(
        "The value has characters that no such record may have (%(characters)s), often from a word "
        "processor. Copy it from here once more."
    ),
    "pasted-line": _(
        "The value begins with the record's name or type (%(found)s). Enter only what is shown as "
        "the value."
    ),
    "no-prefix": _("The token stands there without %(prefix)s before it. Enter the whole value."),
    "lower-case": _(
        "The value was turned into lower case, which destroys it. Enter it as it is shown; some "
        "panels need the record to be edited as text."
    ),
    "key-cut": _(
        "The key is cut off: %(have)s of %(want)s characters are there. Publish the value in "
        "strings of at most 255 characters, as the zone file shows it."
    ),
    "key-pem": _(
        "The key was published with its lines -----BEGIN and END-----. Only what is shown as the "
        "value belongs there."
    ),
    "spf-version": _(
        "The SPF record begins with %(found)s, so receivers do not know it for one. It must begin "
        "with v=spf1 and a space."
    ),
    "spf-after-all": _(
        "%(term)s stands after %(all)s, where nothing is read any more. Put it before."
    ),
    "spf-passes-all": _(
        "%(all)s lets every host in the world send as this domain. Replace it by ~all."
    ),
    "spf-glued": _(
        "Two terms of the SPF record run into each other: %(term)s. Strings of one record are "
        "joined without a space; put one at the end of the first."
    ),
    "dmarc-version": _(
        "The DMARC record begins with %(found)s, so receivers do not know it for one. It must "
        "begin with v=DMARC1, in capitals, and a semicolon."
    ),
    "dmarc-commas": _("The tags of the DMARC record are separated by commas. Use semicolons."),
    "dmarc-mailto": _(
        "The address in %(tag)s has no mailto: before it, so no report comes. Write "
        "mailto:%(address)s."
    ),
    # what receivers make of the mail
    "spf-pass": _("SPF passes for %(address)s as %(name)s, by %(term)s."),
    "spf-none": _("%(name)s has no SPF record, so SPF says nothing about %(address)s."),
    "spf-no-pass": _("SPF says %(result)s for %(address)s as %(name)s, by “%(term)s”."),
    "spf-temperror": _(
        "SPF of %(name)s could not be worked out for %(address)s just now (temperror): %(error)s."
    ),
    "spf-syntax": _("SPF of %(name)s is broken (permerror): %(term)s cannot be read."),
    "spf-lookups": _(
        "SPF of %(name)s is broken (permerror): it asks DNS more than 10 times; %(term)s is one "
        "too many."
    ),
    "spf-void": _(
        "SPF of %(name)s is broken (permerror): more than 2 look-ups find nothing, the last by "
        "%(term)s."
    ),
    "spf-several": _(
        "SPF of %(name)s is broken (permerror): there are several SPF records, by %(term)s."
    ),
    "spf-nothing": _(
        "SPF of %(name)s is broken (permerror): %(term)s leads to a domain without SPF."
    ),
    "spf-hosts": _(
        "SPF of %(name)s is broken (permerror): %(term)s finds more than 10 mail hosts."
    ),
    "dmarc-none": _("No DMARC policy applies to %(name)s. Large receivers ask for one."),
    "dmarc-own": _("The DMARC policy of %(name)s is %(policy)s."),
    "dmarc-inherited": _("The DMARC policy is %(policy)s, inherited from %(found)s."),
    "dmarc-test": _(
        "It is being tested (t=y): receivers apply %(tested)s in place of %(policy)s."
    ),
    "dmarc-unauthorised": _(
        "%(theirs)s gets no reports: it has not agreed to. Its TXT record %(name)s must say "
        "v=DMARC1."
    ),
    "dmarc-unknown": _("The DMARC policy could not be found out just now: %(error)s."),
    "dkim-aligned": _("DKIM aligns: mail is signed as %(domain)s, and the key is published."),
    "dkim-none": _("No published key of %(domain)s signs, so DKIM passes for nobody."),
    "spf-unneeded": _(
        "Not needed: receivers ask for SPF at the return path, which is %(name)s. What stands at "
        "%(domain)s serves only other servers that send as it."
    ),
    "spf-aligned": _("SPF aligns: the return path is at %(name)s."),
    "spf-not-aligned": _(
        "SPF does not align: the return path is at %(name)s, so only DKIM can speak for "
        "%(domain)s. An SPF record at %(domain)s itself changes nothing in that."
    ),
    "dmarc-pass": _("Mail from %(domain)s passes DMARC."),
    "dmarc-fail": _("Mail from %(domain)s fails DMARC: neither DKIM nor SPF passes and aligns."),
    # the addresses that mail leaves from
    "own-private": _(
        "%(address)s is no public address, so receivers see another one. Set EKIDEN_SOURCE, or "
        "give %(host)s the address that mail leaves from."
    ),
    "own-no-answer": _("DNS gives no answer just now: %(error)s."),
    "own-ptr": _("The PTR record of %(address)s is %(names)s."),
    "own-ptr-missing": _(
        "%(address)s has no PTR record, and large receivers refuse its mail. Have whoever gave you "
        "the address set it to %(host)s."
    ),
    "own-forward": _("%(name)s leads back to %(address)s."),
    "own-forward-missing": _(
        "No name of the PTR record (%(names)s) leads back to %(address)s. Give one of them an A or "
        "AAAA record with it, or have the PTR record set to %(host)s."
    ),
    "own-ehlo": _("The EHLO name %(host)s leads to %(address)s."),
    "own-ehlo-missing": _(
        "The EHLO name %(host)s does not lead to %(address)s. Add that address to its A or AAAA "
        "records, or set EKIDEN_HOSTNAME."
    ),
    "list-clear": _("%(list)s does not list %(address)s."),
    "list-listed": _(
        "%(list)s lists %(address)s: %(detail)s. Find out why mail was reported, stop that, and "
        "then ask to be taken off: %(page)s"
    ),
    "list-refuses": _(
        "%(list)s does not answer our resolver (%(detail)s), so nothing can be told. Ask by a "
        "resolver of your own, in EKIDEN_DNS: lists refuse the large public ones."
    ),
    "list-silent": _(
        "%(list)s does not know even its test entry (127.0.0.2), so nothing can be told: it may be "
        "closed, or not answer our resolver."
    ),
    "list-lists-all": _(
        "%(list)s lists even 127.0.0.1, which no list does, so nothing can be told: it may be "
        "closed."
    ),
    "list-no-answer": _("%(list)s gives no answer just now: %(detail)s."),
    # a signature of a message
    "sig-pass": _("The signature of %(domain)s passes, with the key at %(name)s."),
    "sig-unknown": _("DNS gives no answer about the key at %(name)s just now: %(detail)s."),
    "sig-no-key": _("There is no key at %(name)s, so the signature fails."),
    "sig-revoked": _("The key at %(name)s has been revoked (p= is empty), so the signature fails."),
    "sig-body": _(
        "The body is not what %(domain)s signed: somebody changed it on the way, or it was not "
        "copied whole."
    ),
    "sig-wrong": _(
        "The signature does not fit its header or the key at %(name)s: a signed field was changed, "
        "or the key is another one."
    ),
    "sig-expired": _("The signature of %(domain)s has expired (x=)."),
    "sig-short-key": _("The key at %(name)s is too short: receivers want 1024 bits at least."),
    "sig-algorithm": _("The signature of %(domain)s uses an algorithm that counts no more."),
    "sig-unreadable": _("The signature or its key cannot be read: %(detail)s."),
}  # fmt: skip


def sentence(code: str, given: Mapping[str, str], text: str = "") -> str:
    """Return the sentence in the active language; `text` is one of the table of `explained`."""
    return gettext(SENTENCES[code]) % given if code in SENTENCES else explained(text)


def english(remark: SlipRemark) -> str:
    """Return the sentence as it is kept and as programs read it."""
    return SENTENCES[remark.code] % remark.given
