"""What the commands of pools and smarthosts share: the actions `lead` and `unlead` of rules."""

from django.db.models import QuerySet

from deliveries.message.priorities import Priority
from deliveries.models import EgressRule, Pool, Smarthost
from deliveries.steering import sources
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.text.addresses import canonical_domain
from domains.operations import audit
from domains.senders import names


def add_conditions(parser: CommandParser) -> None:
    parser.add_argument("--project")
    parser.add_argument("--credential", help="with --project where the name is not unique")
    parser.add_argument("--from", dest="sending_domain", metavar="DOMAIN")
    parser.add_argument("--priority", choices=[each.name.lower() for each in Priority])
    parser.add_argument("--receiver", help="name of the receiver's rule")
    parser.add_argument("--position", type=int, default=100, help="the lowest is asked first")


def rule_of(
    *, project: str | None, credential: str | None, sending_domain: str | None,
    priority: str | None, receiver: str | None, position: int,
    pool: Pool | None = None, smarthost: Smarthost | None = None,
) -> EgressRule:  # fmt: skip
    """Build the rule that these options describe, without saving it. Raise `CommandError`."""
    return EgressRule(
        pool=pool,
        smarthost=smarthost,
        position=position,
        credential=names.credential(credential, of=project) if credential else None,
        project=names.project(project) if project and not credential else None,
        sending_domain=canonical_domain(sending_domain) if sending_domain else "",
        priority=None if priority is None else Priority[priority.upper()].value,
        receiver=receiver or "",
    )


def add_rule(command: EkidenCommand, rule: EgressRule) -> None:
    sources.add_rule(rule)
    audit.note_command("add", rule)
    command.stdout.write(f"Added the rule {rule.pk}: {rule.as_asked}. Mail that waits follows.")


def remove_rule(
    command: EkidenCommand, rules: QuerySet[EgressRule], number: int, *, listed_by: str
) -> None:
    """Remove one of the rules by its number; `listed_by` is the command that shows them."""
    rule = rules.filter(pk=number).first()
    if rule is None:
        raise CommandError(f"There is no rule {number}. See: ./ekiden {listed_by}")
    audit.note_command("delete", rule)
    described = rule.as_asked
    sources.remove_rule(rule)
    command.stdout.write(f"Removed the rule {described}.")
