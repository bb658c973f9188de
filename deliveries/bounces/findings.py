"""What can be found about a message that came to port 25: kept in English, with more behind a
colon, translated where it is shown.
"""

from django.utils.translation import gettext_noop as _

UNREADABLE = _("cannot be read")
GIVEN_UP = _("given up by a person, after it could not be handled")
NO_REPORT = _("no delivery report")
OTHER_KIND = _("a report of another kind")
FOR_A_PERSON = _("kept for a person to read")
NO_DELIVERY = _("the delivery it names is no longer stored")
UNMATCHED = _("a report about no delivery that is known, kept for a person to read")
SEVERAL = _("a report that fits several deliveries, kept for a person to read")
OTHER_STATE = _("the delivery is in another state")
BOUNCED = _("the delivery has bounced")
CLAIMED = _("a claim without a proof, kept with the delivery for a person to read")
NOT_OF_USER = _("a feedback report that is no user's complaint")
COMPLAINED = _("the recipient has complained")
DMARC_READ = _("a DMARC report, counted with its domain")
DMARC_KNOWN = _("a DMARC report that is known already")
DMARC_UNREADABLE = _("a DMARC report that cannot be read")
DMARC_OTHER = _("a DMARC report about another domain")
DMARC_NO_DOMAIN = _("a DMARC report about a domain that is here no more")
COMPLAINED_BEFORE = _("the recipient has complained before")
