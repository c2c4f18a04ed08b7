"""The pages of the box office that show a model; box_office.py has the others."""

from tickets.admin import gigs, sales  # noqa: F401 - which register themselves
