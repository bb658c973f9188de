"""What commands about people and groups have in common: a role, and the projects it is limited
to.
"""

from domains.foundation.command import CommandError, CommandParser
from domains.foundation.rights import Role
from domains.models import Project


def add_role(parser: CommandParser) -> None:
    parser.add_argument(
        "--role", choices=Role.values, default=Role.OPERATOR.value, help="operator without it"
    )
    parser.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="NAME",
        help="limit the person to this project; may be given several times",
    )


def projects_named(names: list[str]) -> list[Project]:
    found = {project.name: project for project in Project.objects.filter(name__in=names)}
    if unknown := sorted(set(names) - found.keys()):
        raise CommandError(f"There is no project {unknown[0]}. See: ./ekiden project list")
    return list(found.values())
