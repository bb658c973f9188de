"""Create, list, show and change projects."""

from typing import Any

from django.db import IntegrityError, transaction

from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.models import Project
from domains.operations import audit
from domains.senders import names

YES_OR_NO = {"yes": True, "no": False}


def yes_or_no(text: str) -> bool:
    """Read an argument that says yes or no; for argparse."""
    return YES_OR_NO[text.lower()]


class Command(ActionCommand):
    help = (
        "A project is one app or team: its domains, its credentials, and how its mail is treated."
    )

    def add_actions(self, add: AddAction) -> None:
        create = add("create", self.create, "Create a project.")
        create.add_argument("name", help="lower-case letters, digits and hyphens")
        add("list", self.list_all, "List all projects.")
        show = add("show", self.show, "Show a project and its settings.")
        show.add_argument("name")
        change = add("set", self.set, "Change a project's settings.")
        change.add_argument("name")
        for parser in (create, change):
            _add_settings(parser)

    def create(self, *, name: str, **settings: Any) -> None:
        project = Project(name=name, **_given(settings))
        project.full_clean(validate_unique=False)  # the database says so, and we say it better
        try:
            with transaction.atomic():
                project.save(force_insert=True)
                audit.note_command("add", project, details={"values": audit.facts(project)})
        except IntegrityError as error:
            raise CommandError(f"There is a project {name} already.") from error
        self.stdout.write(
            f"Created the project {name}. Next, a domain: ./ekiden domain add DOMAIN --project "
            f"{name}"
        )

    def list_all(self, *, as_json: bool) -> None:
        projects = Project.objects.prefetch_related("domains", "credentials")
        if as_json:
            return self.write_json([_facts(project) for project in projects])
        header = ("PROJECT", "DOMAINS", "CREDENTIALS")
        rows = [
            (project.name, str(project.domains.count()), str(project.credentials.count()))
            for project in projects
        ]
        return self.write_table(
            [header, *rows],
            empty="There is no project yet. Create one: ./ekiden project create NAME",
        )

    def show(self, *, name: str, as_json: bool) -> None:
        facts = _facts(names.project(name))
        if as_json:
            return self.write_json(facts)
        width = max(map(len, facts))
        for fact, value in facts.items():
            self.stdout.write(f"{fact.replace('_', ' '):<{width}}  {_spelled(value)}")
        return None

    def set(self, *, name: str, **settings: Any) -> None:
        given = _given(settings)
        if not given:
            raise CommandError("Say what to change (see: ./ekiden project set --help).")
        project = names.project(name)
        before = audit.facts(project)
        for field, value in given.items():
            setattr(project, field, value)
        project.full_clean()
        with transaction.atomic():
            project.save(update_fields=list(given))
            audit.note_command(
                "change", project, details={"changed": audit.changes(before, audit.facts(project))}
            )
        self.stdout.write(
            f"Changed {', '.join(field.replace('_', ' ') for field in given)} of the project "
            f"{name}."
        )


# The options, each a setting of a project: what it takes, and what it is for.
SWITCH: dict[str, Any] = {"type": yes_or_no, "metavar": "yes|no"}
SECONDS: dict[str, Any] = {"type": int, "metavar": "SECONDS"}
DAYS: dict[str, Any] = {"type": int, "metavar": "DAYS"}
SETTINGS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("--lifetime", SECONDS, "how long delivery is tried (432000 is 5 days)"),
    ("--retry-schedule", SECONDS | {"nargs": "*"}, "waits between tries; none: the usual schedule"),
    (
        "--in-doubt",
        {"choices": Project.WhenInDoubt.values},
        "when the reply after the final dot was lost",
    ),
    ("--sends-reports", SWITCH, "report failures to the sender"),
    ("--hides-client-address", SWITCH, "leave it out of the Received line"),
    ("--shows-content", SWITCH, "let owners and operators read contents in the portal"),
    ("--takes-foreign-names", SWITCH, "names in From that show other addresses"),
    (
        "--sandbox",
        SWITCH | {"dest": "is_sandboxed"},
        "all its mail goes to the built-in sandbox, none to its recipients",
    ),
    ("--keeps-subject", SWITCH, "keep the subject of each message, to find it by"),
    ("--idempotency-window", SECONDS, "the same message again within it is one message"),
    ("--content-days", DAYS, "how long contents are kept"),
    ("--log-days", DAYS, "how long the log is kept"),
    (
        "--transcript-days",
        DAYS,
        "how long the SMTP dialogue of a failed attempt is kept (0: not at all)",
    ),
)


def _add_settings(parser: CommandParser) -> None:
    """Add an option for each setting of a project; what is not given stays as it is."""
    for name, taken, purpose in SETTINGS:
        parser.add_argument(name, help=purpose, **taken)


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _facts(project: Project) -> dict[str, Any]:
    return {
        "name": project.name,
        "created_at": project.created_at.isoformat(),
        "domains": [domain.name for domain in project.domains.all()],
        "credentials": [credential.name for credential in project.credentials.all()],
        "lifetime": project.lifetime,
        "retry_schedule": project.retry_schedule,
        "in_doubt": project.in_doubt,
        "sends_reports": project.sends_reports,
        "hides_client_address": project.hides_client_address,
        "takes_foreign_names": project.takes_foreign_names,
        "is_sandboxed": project.is_sandboxed,
        "keeps_subject": project.keeps_subject,
        "shows_content": project.shows_content,
        "idempotency_window": project.idempotency_window,
        "content_days": project.content_days,
        "log_days": project.log_days,
        "transcript_days": project.transcript_days,
    }


def _spelled(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "-"
    return str(value)
