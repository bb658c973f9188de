"""One row of each table that retention empties, as old as a test wants it."""

from axes.models import AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import get_random_string

from deliveries.message.ids import first_id_of, new_id
from deliveries.models import (
    Alert,
    BackOff,
    Destination,
    ExportPart,
    InboundMail,
    LanePace,
    MessageExport,
    Node,
    Order,
    Reclassification,
    Refusal,
    SourceBlock,
    SourceCount,
    Submission,
    Tally,
    TenantCase,
    TenantRule,
    TrafficCount,
    Transcript,
    TranscriptRequest,
    WarmUpDay,
)
from domains.models import (
    AuthenticationRefusal,
    DmarcCount,
    DmarcReport,
    Domain,
    DomainAlert,
    DomainChange,
    IdentityAlert,
    Project,
    ReturnPath,
    SampledDay,
    SetAside,
    SignatureCheck,
)
from relay_portal.models import User
from suppressions.models import Brake, Import, Occurrence
from tests.deliveries import make


def with_time(row, **times):
    """Make the row with times that its model sets by itself."""
    type(row).objects.filter(pk=row.pk).update(**times)
    return row


def attempt(at):
    row = AccessAttempt.objects.create(
        username=get_random_string(8), ip_address="192.0.2.1", failures_since_start=1
    )
    AccessAttemptExpiration.objects.create(access_attempt=row, expires_at=at)
    return with_time(row, attempt_time=at)


def admin_log(at):
    user = User.objects.get_or_create(username="somebody")[0]
    kind = ContentType.objects.get_for_model(User)
    return with_time(
        LogEntry.objects.create(
            user=user, content_type=kind, object_repr="x", action_flag=ADDITION
        ),
        action_time=at,
    )


def occurrence(at):
    given = {
        "address_key": "you@mx.test",
        "kind": "reply",
        "category": "no-such-user",
        "is_hard": True,
    }
    return Occurrence.objects.create(at=at, handled_at=at, project=make.project(), **given)


def tally(at):
    return Tally.objects.create(
        hour=at,
        project=make.project(),
        credential_id=1,
        provider="",
        category="delivered",
        is_hard=False,
        amount=1,
    )


def destination(at):
    name = f"{get_random_string(8).lower()}.test"
    return Destination.objects.create(domain=name, lane=make.lane(name), expires_at=at)


def domain_change(at):
    project = Project.objects.get_or_create(name="kept")[0]
    domain = Domain.objects.get_or_create(project=project, name="kept.test")[0]
    return DomainChange.objects.create(domain=domain, at=at, subject="spf kept.test")


def dmarc_report(at):
    project = Project.objects.get_or_create(name="kept")[0]
    domain = Domain.objects.get_or_create(project=project, name="kept.test")[0]
    return DmarcReport.objects.create(
        domain=domain, organization="mx.test", report_id=get_random_string(8), begins_at=at,
        ends_at=at,
    )  # fmt: skip


def dmarc_count(at):
    report = dmarc_report(timezone.now())
    return DmarcCount.objects.create(
        report=report, domain=report.domain, day=at.date(), ends_at=at, source="192.0.2.1",
        is_ours=True, dkim=True, spf=True, disposition="none", header_from="kept.test", amount=1,
    )  # fmt: skip


def refusal(at):
    project = Project.objects.get_or_create(name="kept")[0]
    domain = Domain.objects.get_or_create(project=project, name="kept.test")[0]
    return AuthenticationRefusal.objects.create(
        domain=domain, day=at.date(), receiver=get_random_string(8), mechanism="spf", last_at=at
    )


def sampled_day(at):
    domain = domain_change(timezone.now()).domain
    return SampledDay.objects.create(
        domain=domain, day=at.date(), receiver=get_random_string(8), last_at=at
    )


def return_path(at):
    return ReturnPath.objects.create(
        name="rp.kept.test", state="former", found_since=at, stopped_at=at, changed_at=at
    )


def domain_alert(at):
    domain = domain_change(at).domain
    return DomainAlert.objects.create(domain=domain, kind="ownership", opened_at=at, ended_at=at)


ROWS = {
    "domains_returnpath": return_path,
    "domains_domainalert": domain_alert,
    "domains_signaturecheck": lambda at: SignatureCheck.objects.create(
        message_id=new_id(), checked_at=at, result="pass"
    ),
    "domains_authenticationrefusal": refusal,
    "domains_sampledday": sampled_day,
    "domains_identityalert": lambda at: IdentityAlert.objects.create(
        kind="signature", subject=get_random_string(8), text="x", ended_at=at
    ),
    "domains_dmarcreport": dmarc_report,
    "domains_dmarccount": dmarc_count,
    "domains_domainchange": domain_change,
    "domains_setaside": lambda at: SetAside.objects.create(
        kind="order", key=get_random_string(8), last_failed_at=at, set_aside_at=at
    ),
    "suppressions_occurrence": occurrence,
    "suppressions_brake": lambda at: Brake.objects.create(
        category="unknown_user", domains=30, usual=1, ended_at=at
    ),
    "suppressions_import": lambda at: Import.objects.create(
        name="list.csv", created_by="ops", created_at=at, ended_at=at
    ),
    "deliveries_submission": lambda at: Submission.objects.create(
        key=get_random_string(8).encode(), message_id=first_id_of(at), expires_at=at
    ),
    "deliveries_inboundmail": lambda at: InboundMail.objects.create(
        id=first_id_of(at), kind="report", delivery_id=new_id(), data=b"", handled_at=at
    ),
    "deliveries_destination": destination,
    "deliveries_lane": lambda at: make.lane(get_random_string(8), idle_since=at),
    "deliveries_node": lambda at: Node.objects.create(name=get_random_string(8), seen_at=at),
    "deliveries_tenantcase": lambda at: TenantCase.objects.create(
        rule=TenantRule.objects.get_or_create(
            name="errors", measure="errors", threshold=10, action="pause"
        )[0],
        project=make.project(),
        rate=50,
        amount=50,
        total=100,
        ended_at=at,
    ),
    "deliveries_warmupday": lambda at: WarmUpDay.objects.create(
        source=make.source(get_random_string(8)),
        receiver="google",
        date=at.date(),
        day=1,
        opened_at=at,
    ),
    "deliveries_sourcecount": lambda at: SourceCount.objects.create(
        hour=at, source="one", receiver="google", project_id=1, event="accepted", amount=1
    ),
    "deliveries_sourceblock": lambda at: SourceBlock.objects.create(
        source=make.source(get_random_string(8)),
        receiver="google",
        at=at,
        seconds=3600,
        reply="554 blocked",
    ),
    "deliveries_order": lambda at: Order.objects.create(
        verb="retry", reason="x", created_by="ops", finished_at=at
    ),
    "deliveries_reclassification": lambda at: Reclassification.objects.create(
        created_by="ops", created_at=at
    ),
    "deliveries_alert": lambda at: Alert.objects.create(
        credential=make.credential(), rate=9, bounced=9, total=100, hours=24, ended_at=at
    ),
    "deliveries_tally": tally,
    "deliveries_trafficcount": lambda at: TrafficCount.objects.create(
        at=at, step=1440, priority=1, event="accepted", amount=1
    ),
    "deliveries_refusal": lambda at: Refusal.objects.create(
        at=at,
        project=make.project(),
        credential_id=1,
        recipient_key="you@mx.test",
        command="RCPT",
        code=550,
        text="x",
    ),
    "deliveries_messageexport": lambda at: MessageExport.objects.create(
        created_by="ops", created_at=at, state="done", ended_at=at
    ),
    "deliveries_exportpart": lambda at: ExportPart.objects.create(
        export_id=1, number=ExportPart.objects.count(), at=at, data=b""
    ),
    "deliveries_lanepace": lambda at: LanePace.objects.create(
        lane=make.lane(get_random_string(8)), at=at, connections=1, sent=10
    ),
    "deliveries_backoff": lambda at: BackOff.objects.create(
        lane_id=1, at=at, kind="slowed", reply="421 slow down"
    ),
    "deliveries_transcript": lambda at: Transcript.objects.create(
        delivery_id=new_id(), at=at, lines="[]", expires_at=at
    ),
    "deliveries_transcriptrequest": lambda at: TranscriptRequest.objects.create(
        delivery_id=new_id(), at=at, by="ops"
    ),
    "django_session": lambda at: Session.objects.create(
        session_key=get_random_string(32), session_data="x", expire_date=at
    ),
    "axes_accessattempt": attempt,
    "axes_accesslog": lambda at: with_time(AccessLog.objects.create(username="x"), attempt_time=at),
    "axes_accessfailurelog": lambda at: with_time(
        AccessFailureLog.objects.create(username="x"), attempt_time=at
    ),
    "django_admin_log": admin_log,
}
