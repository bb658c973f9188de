from django.db import migrations

# As it was, and one more: an erasure changes the words of an entry, and says so in the log itself.
KEPT = """
CREATE OR REPLACE FUNCTION domains_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF TG_OP = 'UPDATE' AND current_setting('ekiden.audit_erasure', true) = 'on'
                AND to_jsonb(NEW) - '{object_id,object_name,reason,details,actor}'::text[]
                    = to_jsonb(OLD) - '{object_id,object_name,reason,details,actor}'::text[] THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% takes no %: the audit log is kept as it was written', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0018_show_contents"),
    ]

    operations = [migrations.RunSQL(KEPT, migrations.RunSQL.noop)]
