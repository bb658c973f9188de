"""Give signing keys their states: what signs goes on, what was stopped is retiring.

While the old code still runs, a key that it adds or lets sign is refused by the constraints; mail
is not touched.
"""

import datetime

import django.db.models.expressions
from django.db import migrations, models

# A key that signs has not been watched, and nobody's mail shall be unsigned on the day of the
# upgrade: it signs unseen until checks have seen it. The record of a stopped one is needed for the
# mail under way.
FILL = """
UPDATE domains_signingkey key
SET state = CASE WHEN key.is_active THEN 'signing' ELSE 'retiring' END,
    signs_unseen = true,
    retires_at = CASE WHEN key.is_active THEN NULL
        ELSE now() + make_interval(days => 2, secs => project.lifetime) END
FROM domains_domain domain JOIN domains_project project ON project.id = domain.project_id
WHERE domain.id = key.domain_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0010_audit_chain"),
    ]

    operations = [
        migrations.AddField(
            model_name="signingkey",
            name="found_since",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="found in DNS since"
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="retires_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="needed in DNS until"
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="seen_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="seen"),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="sightings",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, editable=False, verbose_name="checks that found it"
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="signs_unseen",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="On an operator's word, or because it signed before keys had states.",
                verbose_name="may sign unseen",
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="state",
            field=models.CharField(
                choices=[
                    ("made", "Made"),
                    ("published", "Published"),
                    ("seen", "Seen"),
                    ("signing", "Signing"),
                    ("retiring", "Retiring"),
                    ("retired", "Retired"),
                ],
                db_default="made",
                default="made",
                editable=False,
                max_length=9,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="signingkey",
            name="is_active",
            field=models.BooleanField(default=False, editable=False, verbose_name="signs"),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("is_active", True), ("state", "signing")),
                    models.Q(("is_active", False), models.Q(("state", "signing"), _negated=True)),
                    _connector="OR",
                ),
                name="key_signs_in_its_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_active", False),
                    ("seen_at__isnull", False),
                    ("signs_unseen", True),
                    _connector="OR",
                ),
                name="key_signs_after_it_was_seen",
                violation_error_message="This key has not been seen in DNS yet.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("seen_at__isnull", True),
                    models.Q(
                        ("found_since__isnull", False),
                        (
                            "seen_at__gte",
                            django.db.models.expressions.CombinedExpression(
                                models.F("found_since"),
                                "+",
                                models.Value(datetime.timedelta(seconds=3600)),
                            ),
                        ),
                        ("sightings__gte", 3),
                    ),
                    _connector="OR",
                ),
                name="key_is_seen_by_several_checks",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "retiring"), _negated=True),
                    ("retires_at__isnull", False),
                    _connector="OR",
                ),
                name="key_retires_at_a_time",
            ),
        ),
    ]
