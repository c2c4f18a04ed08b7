import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, ManagementUtility, call_command
from django.utils import timezone

from tickets import deadletters, provisioning, queue
from tickets.management.queue import messages, state
from tickets.models import Ticket
from tickets.purchases import Owner, buy, publish

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/timelessmusic-purchase"


def _queue(*arguments):
    out = StringIO()
    call_command("queue", *arguments, stdout=out)
    return out.getvalue()


def _exit_status(*arguments) -> int:
    """Run the command as a shell does."""
    try:
        ManagementUtility(["manage.py", "queue", *arguments]).execute()
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def no_queue(sqs):
    sqs.delete_queue(QueueUrl=queue.url())
    queue.forget()


def test_create_prints_what_it_did_and_the_url(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"VisibilityTimeout": "30"})
    lines = _queue("create").splitlines()
    assert "timelessmusic-purchase: VisibilityTimeout was 30, is 180" in lines
    assert lines[-1] == URL


def test_create_export_prints_a_line_for_the_environment(sqs):
    assert _queue("create", "--export") == f"SQS_QUEUE_URL={URL}\n"


def test_create_where_sqs_is_away_says_so(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    with pytest.raises(CommandError, match="can't create the queue: Could not connect to the endpoint"):
        _queue("create")
    queue.forget()


def test_inspect_shows_the_depths(sqs):
    queue.send([queue.Message({"name": "a"}), queue.Message({"name": "b"})])
    rows = dict(
        line.split(maxsplit=1) for line in _queue("inspect").splitlines() if line.startswith(("URL", "waiting"))
    )
    assert rows == {"URL": URL, "waiting": "2"}


def test_inspect_says_times_as_people_do(sqs):
    [made] = re.findall("CreatedTimestamp +(.+) UTC", _queue("inspect"))
    epoch = float(provisioning.describe().attributes["CreatedTimestamp"])
    assert datetime.fromisoformat(made).replace(tzinfo=UTC).timestamp() == int(epoch)


def test_inspect_json_is_for_machines(sqs):
    queue.send([queue.Message({"name": "a"})])
    described = json.loads(_queue("inspect", "--json"))
    assert described["attributes"] == provisioning.describe().attributes
    assert (described["url"], described["waiting"], described["dead_letters"]["waiting"]) == (URL, 1, 0)


def test_inspect_of_a_missing_queue_is_one_line(no_queue):
    with pytest.raises(CommandError, match="there is no queue 'timelessmusic-purchase'"):
        _queue("inspect")


@pytest.mark.django_db(transaction=True)
def test_work_batch_mails_what_waits_and_counts(gig, sqs, mailoutbox):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _queue("work", "--batch").splitlines()[-1] == "mailed 1, parked 0, put off 0, published 1"
    assert len(mailoutbox) == 1


@pytest.mark.django_db(transaction=True)
def test_work_batch_without_a_queue_fails(no_queue):
    with pytest.raises(CommandError, match="there is no queue"):
        _queue("work", "--batch")


def test_publish_counts_what_it_published(gig, sqs):
    buy(gig, [Owner("Ada", "ada@example.com"), Owner("Bob", "bob@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _queue("publish") == "published 2\n"
    assert _queue("publish") == "published 0\n"


# --- what needs attention, and what could not run -----------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["inspect", "--watch"],
        ["peek"],
        ["publish"],
        ["redrive", "--all"],
        ["redrive", "--all", "--dry-run"],
        ["purge", "--yes"],
        ["work", "--batch"],
        ["send-test", "ada@example.com"],
    ],
    ids=" ".join,
)
@pytest.mark.django_db(transaction=True)
def test_what_could_not_run_ends_with_2_and_one_line(gig, no_queue, capsys, arguments):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _exit_status(*arguments) == 2
    assert "there is no queue 'timelessmusic-purchase'. Make it with" in capsys.readouterr().err


def test_create_that_could_not_run_ends_with_2(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    assert _exit_status("create") == 2
    queue.forget()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["peek", "--limit", "0"], "Invalid value for '--limit' / '-n': 0 is not in the range x>=1."),
        (["redrive"], "say which: one of --cause, --id and --all"),
        (["redrive", "--all", "--id", "1"], "say which: one of --cause, --id and --all"),
        (["send-test", "nobody"], "Enter a valid email address."),
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_ends_with_2(capsys, arguments, words):
    assert _exit_status(*arguments) == 2
    assert capsys.readouterr().err.startswith(f"CommandError: {words}")


@pytest.mark.django_db
def test_a_ticket_that_hangs_ends_with_1(gig, capsys):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    assert _exit_status("reconcile", "--older-than", "0") == 1
    assert capsys.readouterr().err.startswith("CommandError: 1 hangs\n")


@pytest.mark.parametrize(
    "subcommand",
    "create inspect doctor purge peek redrive send-test work publish reconcile".split(),  # noqa: SIM905
)
def test_its_help_has_an_example(subcommand, capsys):
    assert _exit_status(subcommand, "--help") == 0
    assert f"Example: manage.py queue {subcommand}" in capsys.readouterr().out


# --- messages -----------------------------------------------------------------------------------------


@pytest.fixture
def parked(gig, sqs, monkeypatch):
    """Park the messages of two tickets, each with its cause."""
    monkeypatch.setattr(deadletters, "POLL_SECONDS", 0)
    tickets = buy(gig, [Owner("Ada Lovelace", "ada@example.com"), Owner("Grace", "grace@example.com")], "token").tickets
    publish(tickets)
    messages = {json.loads(message.body)["ticketId"]: message for message in queue.receive(wait_seconds=0)}
    queue.park(messages[str(tickets[0].pk)], "the mail was refused: 550 unknown")
    queue.park(messages[str(tickets[1].pk)], "there is no such ticket")
    return tickets


def test_peek_masks_and_consumes_nothing(parked):
    shown = _queue("peek", "--dlq")
    assert ("550 unknown" in shown, "a…@example.com" in shown, "Lovelace" in shown) == (True, True, False)
    assert provisioning.describe().dead_letters.waiting == 2
    assert "Ada Lovelace" in _queue("peek", "--dlq", "--full")
    assert len(_queue("peek", "--dlq", "--limit", "1").splitlines()) == 3
    assert _queue("peek") == "nothing there that is not in a worker's hands\n"


def test_peek_looks_into_the_queue(sqs, monkeypatch):
    monkeypatch.setattr(deadletters, "POLL_SECONDS", 0)
    [message_id] = queue.send([queue.Message({"name": "a"})])
    assert _queue("peek").startswith(f"{message_id}  sent ")
    assert provisioning.describe().waiting == 1


def test_redrive_tells_first_what_would_go(parked):
    lines = _queue("redrive", "--to-dlq-cause", "550", "--dry-run").splitlines()
    assert (lines[1:2], lines[-1]) == (["  the mail was refused: 550 unknown"], "would redrive 1")
    assert provisioning.describe().dead_letters.waiting == 2


@pytest.mark.parametrize(
    ("arguments", "number"),
    [(["--cause", "550"], 1), (["--all"], 2), (["--all", "--max", "1"], 1), (["--cause", "no such cause"], 0)],
)
def test_redrive_sends_what_is_meant(parked, arguments, number):
    assert _queue("redrive", *arguments) == f"redriven {number}, stay 0\n"
    description = provisioning.describe()
    assert (description.waiting, description.dead_letters.waiting) == (number, 2 - number)


def test_redrive_by_id(parked):
    assert _queue("redrive", "--id", str(parked[0].pk)) == "redriven 1, stay 0\n"
    with pytest.raises(CommandError, match="not in the DLQ: a ticket can be mailed again") as error:
        _queue("redrive", "--id", str(parked[0].pk))
    assert error.value.returncode == 1


def test_redrive_says_what_stays(parked):
    def refuse_the_first(parsed, **_):
        entry = parsed["Successful"].pop(0)
        parsed["Failed"] = [{"Id": entry["Id"], "Code": "InternalError", "Message": "later", "SenderFault": False}]

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", refuse_the_first)
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("queue", "redrive", "--all", stdout=out)
    first, second = out.getvalue().splitlines()
    assert (first, second.split(" ", 1)[1]) == (
        "redriven 1, stay 1",
        "stays: SQS refused the entry: InternalError: later",
    )
    assert error.value.returncode == 1


def test_redrive_without_a_dlq_could_not_run(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"RedrivePolicy": ""})
    with pytest.raises(CommandError, match="has no dead-letter queue") as error:
        _queue("redrive", "--all")
    assert error.value.returncode == 2


def test_redrive_of_many_tells_its_progress(sqs, monkeypatch):
    monkeypatch.setattr(deadletters, "POLL_SECONDS", 0)
    monkeypatch.setattr(messages, "LINE_EVERY", 10)
    for i in range(21):
        sqs.send_message(QueueUrl=queue.dead_letter_url(), MessageBody=str(i))
    assert _queue("redrive", "--all").splitlines() == ["redriven 10", "redriven 20", "redriven 21, stay 0"]


# --- the queue itself ---------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.django_db
def test_purge_asks_for_the_name_of_the_queue(gig, sqs, monkeypatch):
    publish(buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets)
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    with pytest.raises(CommandError, match="that is not its name: nothing was deleted"):
        _queue("purge")
    assert provisioning.describe().waiting == 1
    monkeypatch.setattr(sys, "stdin", Terminal("timelessmusic-purchase\n"))
    assert _queue("purge").splitlines() == [
        "1 messages would go. The queue's name, to go on: purged timelessmusic-purchase of 1 messages",
        "1 tickets are on the way: a worker publishes them again within three minutes",
    ]
    assert provisioning.describe().waiting == 0


@pytest.mark.django_db
def test_purge_without_a_terminal_needs_yes(sqs, monkeypatch):
    queue.send([queue.Message({"name": "a"})])
    monkeypatch.setattr(sys, "stdin", io.StringIO("timelessmusic-purchase\n"))
    with pytest.raises(CommandError, match="say --yes if you mean it") as error:
        _queue("purge")
    assert (error.value.returncode, provisioning.describe().waiting) == (2, 1)
    _queue("purge", "--yes")
    assert provisioning.describe().waiting == 0


@pytest.mark.django_db
@pytest.mark.parametrize("out", [StringIO, Terminal])
def test_watch_draws_anew_with_the_pace(gig, sqs, monkeypatch, capsys, out):
    tickets = []

    def meanwhile(seconds):
        if tickets:
            raise KeyboardInterrupt
        tickets.extend(buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets)
        publish(tickets)
        Ticket.objects.update(created_at=timezone.now() - timedelta(microseconds=1))

    monkeypatch.setattr(state.time, "sleep", meanwhile)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # For rich, which looks at the process's own output.
    stream = out()
    call_command("queue", "inspect", "--watch", stdout=stream)
    if out is Terminal:
        assert "published a second" in capsys.readouterr().out
    else:
        first, second = stream.getvalue().splitlines()
        assert first == "waiting 0, in flight 0, delayed 0, in the DLQ 0"
        assert second.startswith("waiting 1, in flight 0, delayed 0, in the DLQ 0, published a second ")


def test_the_runbook_names_commands_and_options_that_there_are(capsys):
    text = (settings.BASE_DIR / "docs/runbook.md").read_text()
    lines = set(re.findall(r"manage\.py queue ([a-z-]+)([^|`\n]*)", text))
    assert len(lines) > 15
    for subcommand, arguments in lines:
        assert _exit_status(subcommand, "--help") == 0
        said = capsys.readouterr().out
        assert [option for option in re.findall(r"--[a-z-]+", arguments) if option not in said] == []
