#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from pomni_admin.logs import last_words

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")
    last_words.into_the_log()
    execute_from_command_line(sys.argv)
