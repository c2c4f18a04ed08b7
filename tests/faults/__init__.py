"""Faults as they happen: real processes, real PostgreSQL, an SQS server, a mail server, and what breaks between them."""
