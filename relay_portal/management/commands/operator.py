"""The earlier name of `person`, for scripts; it goes with the next release."""

from domains.foundation.command import AddAction
from domains.foundation.rights import Role
from relay_portal.management.commands import person


class Command(person.Command):
    help = "The earlier name of `ekiden person`; its `add` makes an owner."

    def add_actions(self, add: AddAction) -> None:
        super().add_actions(add)
        adding = add("add", self.invite, "The same as `person invite NAME --role owner`.")
        adding.add_argument("name")
        adding.set_defaults(email="", role=Role.OWNER.value, project=[])
