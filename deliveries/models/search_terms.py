"""What messages are searched by."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from deliveries.models.messages import Message


class MessageTerms(models.Model):
    """What a message is searched by; written some seconds after it, by `deliveries.search`."""

    message = models.OneToOneField(
        Message, models.DO_NOTHING, primary_key=True, db_constraint=False
    )
    terms = ArrayField(models.TextField(), verbose_name=_("terms"))

    class Meta:
        verbose_name = _("search terms")
        verbose_name_plural = _("search terms")
        indexes = [GinIndex(fields=["terms"], name="message_by_term")]
