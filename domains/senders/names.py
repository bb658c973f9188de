"""What a person means by a name on the command line, or one line that says what there is
instead.
"""

from collections.abc import Iterable

from domains.foundation.command import CommandError
from domains.foundation.text.addresses import canonical_domain
from domains.models import Credential, Domain, Project


def project(name: str) -> Project:
    found = Project.objects.filter(name=name).first()
    if found is None:
        there_are = _listed(Project.objects.values_list("name", flat=True))
        raise CommandError(
            f"No such project: {name}. {there_are} Create it: ./ekiden project create {name}"
        )
    return found


def domain(name: str, *, of: str | None = None) -> Domain:
    """Return the domain of that name, of the project named `of` where several have one.

    Raise `CommandError` where there is none, or more than one.
    """
    canonical = canonical_domain(name)
    found = list(
        Domain.objects.filter(name=canonical, **({"project": project(of)} if of else {}))
        .select_related("project")
        .order_by("project__name")
    )
    if not found:
        raise CommandError(
            f"No such domain: {canonical}. {_listed(Domain.objects.values_list('name', flat=True))}"
        )
    if len(found) > 1:
        raise CommandError(
            f"Several projects have {canonical}; choose with --project: "
            f"{', '.join(each.project.name for each in found)}."
        )
    return found[0]


def credential(name: str, *, of: str | None = None) -> Credential:
    """Find a credential by its user name, or by its name in the project named `of`."""
    everything = Credential.objects.select_related("project")
    found = (
        everything.filter(project=project(of), name=name).first()
        if of
        else everything.filter(username=name).first()
    )
    if found is None:
        where = f" in project {of}" if of else ""
        raise CommandError(f"No such credential{where}: {name}. See: ./ekiden credential list")
    return found


def _listed(names: Iterable[str]) -> str:
    known = sorted(set(names))
    if not known:
        return "There are none yet."
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"There are: {', '.join(known[:10])}{more}."
