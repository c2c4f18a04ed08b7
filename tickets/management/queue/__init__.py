"""The subcommands of `manage.py queue`, by subject: they parse and print, the work is in the modules of tickets/."""
