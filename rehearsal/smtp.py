"""An SMTP server of the tests' own, in this process: it keeps what it is given and answers as it is told."""

import asyncio
import logging
import time
from collections.abc import Callable
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

logging.getLogger("mail.log").setLevel(logging.WARNING)


class Sink:
    """Keep mails; `answers` maps a recipient, or "*", to the answer to give in place of 250.

    `before_mail(address)` and `after_mail(mail)` run in a thread of their own while the client waits for the answer
    to its RCPT, and to its DATA whose mail is kept by then: they may wait, or kill the client.
    """

    def __init__(self):
        self.mails = []
        self.times = []  # time.monotonic() of each mail
        self.rcpt_answers = {}
        self.data_answers = {}
        self.before_mail: Callable[[str], object] | None = None
        self.after_mail: Callable[[object], object] | None = None

    @property
    def recipients(self) -> list[str]:
        return sorted(mail["To"].addresses[0].addr_spec for mail in self.mails)

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        answer = self.rcpt_answers.get(address) or self.rcpt_answers.get("*")
        if answer:
            return answer
        if self.before_mail:
            await asyncio.to_thread(self.before_mail, address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.data_answers.get(envelope.rcpt_tos[0]) or self.data_answers.get("*")
        if answer:
            return answer
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(mail)
        self.times.append(time.monotonic())
        if self.after_mail:
            await asyncio.to_thread(self.after_mail, mail)
        return "250 OK"


class SmtpServer(Controller):
    """Serve a Sink on a free port of 127.0.0.1; stop() and start() are an outage."""

    def __init__(self, port: int = 0):
        self.sink = Sink()
        super().__init__(self.sink, hostname="127.0.0.1", port=port, ready_timeout=30)

    def start(self):
        if self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
        super().start()

    def stop(self, no_assert=None):
        if self.server is not None:
            super().stop(no_assert=no_assert)

    def factory(self):
        return SMTP(self.handler, hostname="sink.example", enable_SMTPUTF8=True)

    def _trigger_server(self):
        # The port is the kernel's choice, and known only now; an outage comes back under the same.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
