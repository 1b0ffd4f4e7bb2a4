"""What the documentation takes from the bot, in the smallest form that works."""
