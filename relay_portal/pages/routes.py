"""Where the pages stand that are no lists of rows."""

from relay_portal.pages import (
    classification,
    credential_use,
    demands,
    error_rates,
    mail_by_day,
    message_check,
    own_identity,
    resending,
    trying,
    unknown_answers,
)

# Each is for those who may see the page of its name.
PAGES = (
    ("classification/", "classification", classification.page),
    ("identity/", "own_identity", own_identity.page),
    ("demands/", "demands", demands.page),
    ("check-message/", "message_check", message_check.page),
    ("unknown-answers/", "unknown_answers", unknown_answers.page),
    ("error-rates/", "error_rates", error_rates.page),
)
# About one row; each asks for a right of its own.
OF_ROWS = (
    ("deliveries/message/<slug:object_id>/resend/", "deliveries_message_resend", resending.page),
    ("domains/credential/<slug:object_id>/use/", "domains_credential_use", credential_use.fragment),
    (
        "domains/project/<slug:object_id>/use/",
        "domains_project_use",
        mail_by_day.project_fragment,
    ),
    (
        "domains/credential/<slug:object_id>/send-test/",
        "domains_credential_send_test",
        trying.page,
    ),
)
