"""Add, list and remove static routes."""

from deliveries.models import Route, Smarthost
from deliveries.routing import routes
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit


class Command(ActionCommand):
    help = (
        "A route leads the mail for recipient domains to a fixed host, in place of their MX hosts."
    )

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Add a route; mail that waits follows it.")
        adding.add_argument(
            "pattern",
            metavar="PATTERN",
            help="example.com, *.example.com (all below it) or * (all)",
        )
        adding.add_argument(
            "target",
            metavar="HOST:PORT",
            nargs="?",
            default="",
            help="mail.example.com:25, 192.0.2.1:25 or [2001:db8::1]:25",
        )
        adding.add_argument(
            "--smarthost", metavar="NAME", help="in place of HOST:PORT: a smarthost"
        )
        adding.add_argument(
            "--tls", choices=Route.Tls.values, default=Route.Tls.OPPORTUNISTIC.value
        )
        add("list", self.list_all, "List the routes.")
        add(
            "remove", self.remove, "Remove a route; mail that waits goes the usual way."
        ).add_argument("pattern", metavar="PATTERN")

    def add(self, *, pattern: str, target: str, smarthost: str | None, tls: str) -> None:
        if bool(target) == bool(smarthost):
            raise CommandError("Name either HOST:PORT or --smarthost NAME.")
        if smarthost:
            row = Smarthost.objects.filter(name=smarthost).first()
            if row is None:
                raise CommandError(f"No such smarthost: {smarthost}. See: ./ekiden smarthost list")
            route = routes.add_to_smarthost(pattern, row)
            audit.note_command("add", route, details={"values": audit.facts(route)})
            return self.stdout.write(f"Added the route {route}.")
        host, port = host_and_port(target)
        route = routes.add(pattern, host, port, tls)
        audit.note_command("add", route, details={"values": audit.facts(route)})
        return self.stdout.write(f"Added the route {route} (TLS: {route.get_tls_display()}).")

    def list_all(self, *, as_json: bool) -> None:
        everything = list(Route.objects.select_related("smarthost"))
        if as_json:
            return self.write_json([_facts(route) for route in everything])
        header = ("PATTERN", "TO", "TLS", "")
        rows = [
            (
                each.pattern,
                f"smarthost {each.smarthost}" if each.smarthost else f"{each.host}:{each.port}",
                "" if each.smarthost else each.tls,
                "sandbox" if each.is_sandbox else "",
            )
            for each in everything
        ]
        return self.write_table(
            [header, *rows], empty="There is no route: all mail goes to the recipients' MX hosts."
        )

    def remove(self, *, pattern: str) -> None:
        route = Route.objects.filter(pattern=routes.canonical_pattern(pattern)).first()
        if route is None:
            raise CommandError(f"No such route: {pattern}. See: ./ekiden route list")
        audit.note_command("delete", route, details={"values": audit.facts(route)})
        routes.remove(route)
        self.stdout.write(f"Removed the route {route}.")


def host_and_port(text: str) -> tuple[str, int]:
    """Parse `host:port` or `[IPv6 address]:port`. Raises `CommandError`."""
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if (
        not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536)
        or (":" in host) != host.startswith("[")
        or not routes.is_host(bare)
    ):
        raise CommandError(
            f"{text} is no HOST:PORT, such as mail.example.com:25 or [2001:db8::1]:25."
        )
    return bare, int(port)


def _facts(route: Route) -> dict[str, object]:
    return {
        "pattern": route.pattern,
        "host": route.host,
        "port": route.port,
        "tls": route.tls,
        "smarthost": route.smarthost.name if route.smarthost else None,
        "is_sandbox": route.is_sandbox,
    }
