"""A bot to watch: aiogram's real Dispatcher, invented people, no Telegram.

It stands in for the production bot and has its seams (docs/bot.md): the same functions over the same tables, and
`cache_layer` imported in the same way. `__main__` puts it together; no part of it needs Django.
"""
