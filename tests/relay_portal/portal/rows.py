"""A row of every model that has pages, all of one project where they have one."""

from django.utils import timezone

from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.message import compression
from deliveries.models import (
    Attempt,
    EgressRule,
    InboundMail,
    Lane,
    LocalRule,
    MessageExport,
    Node,
    Order,
    Pool,
    ProviderLimit,
    ReceiverDemand,
    Reclassification,
    Refusal,
    Route,
    ShapingRule,
    Source,
    Stop,
    TenantCase,
    TenantRule,
    WarmUpDay,
    WarmUpPlan,
)
from domains.models import Domain, SetAside
from domains.operations import audit
from domains.senders.keys import make_key
from relay_portal.models import GroupRole, LogInNetwork, User
from smtp_listener.models import SandboxMessage
from suppressions.models import Brake, Import, Policy, Suppression
from tests.deliveries import make

TRICKY = "<script>alert(1)</script>"


def of(project):
    """Make the rows, and return them by model label."""
    credential = make.credential(project)
    sent = make.message(project, credential=credential)
    delivery = make.delivery(f"you@{project.name}.test", sent)
    Attempt.objects.create(
        delivery=delivery, outcome="deferred", stage="rcpt", host="mx.test", code=450, text=TRICKY
    )
    rows = [
        project, credential, sent, delivery,
        *_about_mail(project, delivery), *_about_refusals(project, credential),
        *_ways(project), *_about_tenants(project), *_of_operation(project),
    ]  # fmt: skip
    return {row._meta.label: row for row in rows}


def _about_mail(project, delivery):
    domain = Domain.objects.create(project=project, name=f"{project.name}.test", token="t")
    path = return_path.make(delivery.pk, key=return_path_key(), now=timezone.now())
    content = compression.compress(make.CONTENT, (), size=len(make.CONTENT))
    return [
        domain, make_key(domain, "ed25519"),
        MessageExport.objects.create(created_by="otto", query={"q": TRICKY}, state="done",
            projects=[project.pk]),
        SandboxMessage.objects.create(recipient="you@mx.test", mail_from=f"{path}@relay.test",
            data=make.CONTENT),
        InboundMail.objects.create(kind="report", delivery_id=delivery.pk, data=content),
    ]  # fmt: skip


def _about_refusals(project, credential):
    return [
        Suppression.objects.create(project=project, address_key=f"gone@{project.name}.test",
            reason=TRICKY),
        Policy.objects.create(project=project),
        Brake.objects.create(category="unknown_domain", domains=30, usual=2),
        Import.objects.create(project=project, name=TRICKY, created_by="otto", state="done"),
        Reclassification.objects.create(created_by="otto", state="done",
            table=[["other", "policy", False, False, 3]]),
        ReceiverDemand.objects.create(name=project.name, receiver="google", measure="spf",
            source="https://mx.test/", read_on=timezone.localdate()),
        LocalRule.objects.create(name=project.name, category="policy", pattern=TRICKY,
            example=TRICKY),
        Refusal.objects.create(
            project=project, credential_id=credential.pk, recipient=TRICKY, recipient_key="x",
            command="RCPT", code=550, text=TRICKY
        ),
    ]  # fmt: skip


def _ways(project):
    source = Source.objects.create(name=project.name,
        ipv4=f"198.51.{project.pk // 250 % 250}.{project.pk % 250}",
        state="resting", reason=TRICKY)  # fmt: skip
    pool = Pool.objects.create(name=project.name)
    return [
        source, pool,
        EgressRule.objects.create(project=project, pool=pool),
        Node.objects.create(name=f"{project.name}.node.test", sources=[source.name]),
        WarmUpPlan.objects.create(receiver=project.name, numbers=[50, 100]),
        WarmUpDay.objects.create(source=make.source(f"warm-{project.name}"), receiver="google",
            date="2026-03-01", day=1, number=50),
        Lane.objects.create(site=f"mx.{project.name}.test", hosts=[[10, "mx.test", 25]]),
        Route.objects.create(pattern=f"{project.name}.test", host="mx.test", port=25),
        make.smarthost(project.name[:30], hosts=[["smart.test", 587, "verified"]]),
        ShapingRule.objects.create(name=project.name, title=TRICKY,
            domains=[f"{project.name}.test"]),
        ProviderLimit.objects.create(name=project.name, receivers=[project.name], connections=4),
        Stop.objects.create(scope="domain", domain=f"{project.name}.test", reason=TRICKY,
            created_by="otto"),
        Order.objects.create(verb="hold", selection={"project": project.pk}, reason=TRICKY,
            created_by="otto"),
    ]  # fmt: skip


def _about_tenants(project):
    rule = TenantRule.objects.create(
        name=project.name, measure="errors", threshold=10, action="pause"
    )
    case = TenantCase.objects.create(rule=rule, project=project, rate=50, amount=50, total=100)
    return [rule, case]


def _of_operation(project):
    return [
        User.objects.create_user(f"of-{project.name}", is_staff=True, role="support"),
        GroupRole.objects.create(group=project.name),
        LogInNetwork.objects.create(network=f"127.0.0.0/{8 + project.pk % 16}", note=TRICKY),
        SetAside.objects.create(kind="inbound", key=project.name, traceback=TRICKY,
            set_aside_at=timezone.now()),
        audit.note("otto", "change", project, reason=TRICKY,
            details={"changed": {"name": ["a", TRICKY]}}),
    ]  # fmt: skip


SWEEP, LEARN = "deliveries.jobs.sweep", "deliveries.jobs.learn"
