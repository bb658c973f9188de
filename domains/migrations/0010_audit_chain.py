import django.contrib.postgres.fields
from django.db import migrations, models

# A trigger of a statement: an order to many rows writes many entries at once.
TRIGGERS = """
CREATE FUNCTION domains_auditentry_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO domains_unsealedentry (entry_id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_added AFTER INSERT ON domains_auditentry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION domains_auditentry_added();

CREATE FUNCTION domains_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'domains_auditentry' THEN
        IF TG_OP = 'DELETE' AND current_setting('ekiden.audit_retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
        -- a project goes, and with it the right of its staff to read
        IF TG_OP = 'UPDATE' AND NEW.project_id IS NULL
                AND to_jsonb(NEW) - 'project_id' = to_jsonb(OLD) - 'project_id' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% takes no %: the audit log is kept as it was written', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON domains_auditentry
    FOR EACH ROW EXECUTE FUNCTION domains_audit_kept();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON domains_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION domains_audit_kept();
CREATE TRIGGER audit_seal_kept BEFORE UPDATE OR DELETE ON domains_auditseal
    FOR EACH ROW EXECUTE FUNCTION domains_audit_kept();
CREATE TRIGGER audit_seal_not_emptied BEFORE TRUNCATE ON domains_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION domains_audit_kept();

INSERT INTO domains_unsealedentry (entry_id) SELECT id FROM domains_auditentry;
"""
UNDO = """
DROP TRIGGER audit_seal_not_emptied ON domains_auditseal;
DROP TRIGGER audit_seal_kept ON domains_auditseal;
DROP TRIGGER audit_not_emptied ON domains_auditentry;
DROP TRIGGER audit_kept ON domains_auditentry;
DROP TRIGGER audit_added ON domains_auditentry;
DROP FUNCTION domains_audit_kept();
DROP FUNCTION domains_auditentry_added();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0009_keep_subject"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                (
                    "number",
                    models.BigIntegerField(
                        primary_key=True, serialize=False, verbose_name="number"
                    ),
                ),
                ("sealed_at", models.DateTimeField(verbose_name="sealed")),
                (
                    "entry_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        size=None,
                        verbose_name="ids of the entries",
                    ),
                ),
                (
                    "contents",
                    models.CharField(max_length=64, verbose_name="SHA-256 of the entries"),
                ),
                (
                    "digest",
                    models.CharField(max_length=64, verbose_name="SHA-256 of the chain so far"),
                ),
            ],
            options={
                "verbose_name": "seal of the audit log",
                "verbose_name_plural": "seals of the audit log",
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="UnsealedEntry",
            fields=[
                (
                    "entry_id",
                    models.BigIntegerField(
                        primary_key=True, serialize=False, verbose_name="id of the entry"
                    ),
                ),
            ],
            options={
                "verbose_name": "entry without a seal",
                "verbose_name_plural": "entries without a seal",
            },
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["at"], name="audit_by_time"),
        ),
        migrations.RunSQL(TRIGGERS, UNDO),
    ]
