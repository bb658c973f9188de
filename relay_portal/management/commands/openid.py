"""Say what the groups at the OpenID provider may do, and what to register there."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.foundation.rights import Role
from domains.operations import audit
from relay_portal.management.roles import add_role, projects_named
from relay_portal.models import GroupRole
from relay_portal.openid import provider
from relay_portal.openid.provider import ProviderError

PAGES = {
    "redirect_uri": "two_factor:provider_return",
    "post_logout_redirect_uri": "two_factor:login",
    "backchannel_logout_uri": "two_factor:provider_ends",
}


class Command(ActionCommand):
    help = "Log-in by an OpenID provider: what its groups may do, what to register there."

    def add_actions(self, add: AddAction) -> None:
        add("show", self.show, "Ask the provider, and show what to register there.")
        add("list", self.list_all, "List the groups that are mapped.")
        mapping = add("map", self.map, "Give the members of a group a role.")
        mapping.add_argument("group")
        add_role(mapping)
        add("unmap", self.unmap, "Take a group's role away.").add_argument("group")

    def show(self, *, as_json: bool) -> None:
        if not provider.is_configured():
            raise CommandError(
                "There is no OpenID provider: set EKIDEN_OPENID_ISSUER (docs/settings.md)"
            )
        try:
            known = provider.metadata(anew=True)
            provider.keys(anew=True)
        except ProviderError as error:
            raise CommandError(str(error)) from error
        base = settings.EKIDEN_PUBLIC_URL or f"http://localhost:{settings.EKIDEN_PORTAL_PORT}"
        facts = {
            "issuer": known["issuer"],
            "client_id": settings.EKIDEN_OPENID_CLIENT_ID,
            **{name: f"{base.rstrip('/')}{reverse(page)}" for name, page in PAGES.items()},
        }
        if as_json:
            return self.write_json(facts)
        return self.write_table(list(facts.items()), empty="")

    def list_all(self, *, as_json: bool) -> None:
        groups = [
            _facts(row) for row in GroupRole.objects.prefetch_related("projects").order_by("group")
        ]
        if as_json:
            return self.write_json(groups)
        rows = [
            (
                each["group"],
                each["role"],
                "all" if each["projects"] is None else ", ".join(each["projects"]) or "none",
            )
            for each in groups
        ]
        empty = "No group is mapped: ./ekiden openid map GROUP"
        return self.write_table([("GROUP", "ROLE", "PROJECTS"), *rows], empty=empty)

    @transaction.atomic
    def map(self, *, group: str, role: str, project: list[str]) -> None:
        row = GroupRole.objects.filter(group=group).first() or GroupRole(group=group)
        before = _facts(row) if row.pk else {}
        row.role, row.is_limited = Role(role), bool(project)
        row.full_clean()
        row.save()
        row.projects.set(projects_named(project))
        if before:
            changed = audit.changes(before, _facts(row))
            audit.note_command("change", row, details={"changed": changed})
        else:
            audit.note_command("add", row, details={"values": _facts(row)})
        where = f"limited to {', '.join(project)}" if project else "for the whole installation"
        self.stdout.write(f"Members of {group} are {role}, {where}, from their next log-in on.")

    @transaction.atomic
    def unmap(self, *, group: str) -> None:
        row = GroupRole.objects.filter(group=group).first()
        if row is None:
            raise CommandError(f"No group {group} is mapped. See: ./ekiden openid list")
        audit.note_command("delete", row, details={"values": _facts(row)})
        row.delete()
        self.stdout.write(f"Members of {group} lose the role at their next log-in.")


def _facts(row: GroupRole) -> dict[str, Any]:
    projects = sorted(each.name for each in row.projects.all()) if row.is_limited else None
    return {"group": row.group, "role": str(row.role), "projects": projects}
