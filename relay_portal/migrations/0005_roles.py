from django.db import migrations, models


def give_roles(apps, schema_editor):
    """Make superusers owners, since they might do everything.

    All others were support staff of their projects, which is the default of the new columns.
    """
    people = apps.get_model("relay_portal", "User").objects
    people.filter(is_superuser=True).update(role="owner", is_limited=False)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("domains", "0011_signing_key_states"),
        ("relay_portal", "0004_second_factors_and_sessions_at_rest"),
    ]

    operations = [
        migrations.AlterModelManagers(
            name="user",
            managers=[],
        ),
        migrations.AddField(
            model_name="user",
            name="is_limited",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Sees the projects chosen here and no others, "
                "nor what concerns all of them.",
                verbose_name="limited to projects",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="role",
            field=models.CharField(
                choices=[
                    ("owner", "Owner"),
                    ("operator", "Operator"),
                    ("support", "Support staff"),
                    ("auditor", "Auditor"),
                    ("developer", "Developer"),
                ],
                db_default="support",
                default="support",
                max_length=10,
                verbose_name="role",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="projects",
            field=models.ManyToManyField(
                blank=True,
                help_text="Of a person who is limited to projects; without one they see no mail.",
                to="domains.project",
                verbose_name="projects",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("role__in", ["owner", "operator", "support", "auditor", "developer"])
                ),
                name="user_has_a_known_role",
            ),
        ),
        migrations.RunPython(give_roles, migrations.RunPython.noop),
    ]
