"""Aggregate reports of our own making, in the shapes that receivers send."""

import gzip
import io
import zipfile

BEGIN = 1_795_651_200  # 2026-11-26 00:00 UTC


def record(source="192.0.2.1", count=3, dkim="pass", spf="fail", disposition="none", of=None):
    return (
        f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>{disposition}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>"
        "</policy_evaluated></row><identifiers><envelope_from>relay.test</envelope_from>"
        f"<header_from>{of or 'shop.test'}</header_from></identifiers><auth_results>"
        "<dkim><domain>shop.test</domain><selector>s1</selector><result>pass</result></dkim>"
        "<spf><domain>relay.test</domain><scope>mfrom</scope><result>pass</result></spf>"
        "</auth_results></record>"
    )


def xml(
    *records, id="17", organization="mx.test", domain="shop.test", begin=BEGIN, attributes="", end=0
):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback{attributes}><version>1.0</version>'
        f"<report_metadata><org_name>{organization}</org_name><email>dmarc@mx.test</email>"
        f"<report_id>{id}</report_id><date_range><begin>{begin}</begin>"
        f"<end>{end or begin + 86_399}</end></date_range></report_metadata>"
        f"<policy_published><domain>{domain}</domain><adkim>r</adkim><p>none</p>"
        f"<sp>none</sp></policy_published>{''.join(records or [record()])}</feedback>\n"
    ).encode()


def zipped(*members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"mx.test!shop.test!{number}.xml", member)
    return made.getvalue()


def mail(file, name="mx.test!shop.test!1!2.xml.gz", type="application/gzip"):
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"] = "dmarc@mx.test", "reports@relay.test"
    message["Subject"] = "Report Domain: shop.test Submitter: mx.test Report-ID: 17"
    message.set_content("This is an aggregate report.")
    main, sub = type.split("/")
    message.add_attachment(file, maintype=main, subtype=sub, filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


packed = gzip.compress
