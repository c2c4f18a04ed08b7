"""Faults as they happen: real processes, real PostgreSQL, an SQS and a mail server, and what breaks between them."""
