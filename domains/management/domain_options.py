"""The options of the command `domain`, by its actions."""

from domains.foundation.command import CommandParser


def with_adding(parser: CommandParser) -> CommandParser:
    parser.add_argument(
        "--assume-verified",
        action="store_true",
        help="let it send without a look at DNS, on your word",
    )
    parser.add_argument(
        "--ed25519", action="store_true", help="make an Ed25519 key too, to sign with both"
    )
    return parser


def with_showing(parser: CommandParser) -> CommandParser:
    parser.add_argument(
        "--zone",
        action="store_true",
        help="print the records as a zone file that a name server takes as it is",
    )
    parser.add_argument(
        "--page", metavar="FILE", help="write them as one page to print (HTML), - to see it"
    )
    parser.add_argument("--language", choices=("en", "ja"), default="en", help="of that page")
    return parser


def with_checking(parser: CommandParser) -> CommandParser:
    parser.add_argument("name", metavar="DOMAIN", nargs="?")
    parser.add_argument(
        "--message",
        metavar="FILE",
        help="verify the signatures of this message instead, - for standard input; exit "
        "status 1 where none passes and aligns with From",
    )
    return parser


def with_return_path(parser: CommandParser) -> CommandParser:
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--label", help="what stands before the domain; rp at first")
    chosen.add_argument(
        "--none",
        action="store_true",
        help="none of its own: failures come back at the installation's name",
    )
    return parser


def with_subdomains(parser: CommandParser) -> CommandParser:
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--allow", action="store_true", help="any name below it may send")
    wanted.add_argument("--forbid", action="store_true", help="only the domain itself")
    return parser
