"""Registers the bot's tables with Django. There are no migrations: the bot's own own them."""

from django.apps import AppConfig


class BotConfig(AppConfig):
    name = "pomni_admin.bot"
    label = "bot"
    default_auto_field = "django.db.models.BigAutoField"
