"""The chain over the audit log: `domains.operations.audit_chain` says how it is made and proven."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditSeal(models.Model):
    """The entries of a second or so, under one digest that holds the digest before it.

    PostgreSQL refuses every change and every removal of a row.
    """

    number = models.BigIntegerField(_("number"), primary_key=True)
    sealed_at = models.DateTimeField(_("sealed"))
    entry_ids = ArrayField(models.BigIntegerField(), verbose_name=_("ids of the entries"))
    contents = models.CharField(_("SHA-256 of the entries"), max_length=64)
    digest = models.CharField(_("SHA-256 of the chain so far"), max_length=64)

    class Meta:
        verbose_name = _("seal of the audit log")
        verbose_name_plural = _("seals of the audit log")
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class UnsealedEntry(models.Model):
    """An entry that no seal covers yet; a trigger writes it in the transaction of the entry."""

    entry_id = models.BigIntegerField(_("id of the entry"), primary_key=True)

    class Meta:
        verbose_name = _("entry without a seal")
        verbose_name_plural = _("entries without a seal")

    def __str__(self) -> str:
        return str(self.entry_id)
