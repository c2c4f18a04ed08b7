import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from urllib.request import urlopen

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tickets import queue
from tickets.models import Gig, Ticket
from tickets.purchases import NotOnSale, Owner, buy, publish

ADA = Owner("Ada", "ada@example.com")
TOKEN = "a token of 16 or more"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def _numbers(page):
    """Give each sample of ours as name{labels} and its number, buckets aside."""
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {
        sample.name.removeprefix("timelessmusic_") + "".join(f"{{{value}}}" for value in sample.labels.values()): (
            sample.value
        )
        for sample in samples
        if sample.name.startswith("timelessmusic_") and not sample.name.endswith("_bucket")
    }


@pytest.fixture
def scrape(client, settings, db):
    settings.METRICS_TOKEN = TOKEN

    def scrape():
        response = client.get("/metrics", headers=BEARER)
        assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
        assert response["Content-Type"].startswith("text/plain; version=")
        return _numbers(response.content.decode())

    return scrape


@pytest.fixture
def counted(scrape):
    """Give what has been counted since the test began: the counts are the process's, and other tests counted, too."""
    before = scrape()
    return lambda *names: {name: scrape().get(name, 0) - before.get(name, 0) for name in names}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": TOKEN}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": "Bearer ü"}],
)
def test_without_the_token_there_is_no_such_page(client, settings, headers):
    settings.METRICS_TOKEN = TOKEN
    page = client.get("/metrics", headers=headers)
    assert (page.status_code, page.templates[0].name) == (404, "404.html")


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["Bearer ", "Bearer"])
def test_without_a_token_set_nobody_has_it(client, settings, given):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"authorization": given}).status_code == 404


def test_prometheus_may_ask_by_address_and_in_plain_http(client, db, settings):
    settings.METRICS_TOKEN, settings.SECURE_SSL_REDIRECT = TOKEN, True
    assert client.get("/metrics", headers={"host": "10.0.0.7:8000", **BEARER}).status_code == 200


def test_purchases_and_their_publishing_are_counted(counted, gig, sqs):
    publish(buy(gig, [ADA, ADA], "one").tickets)
    publish(buy(gig, [ADA, ADA], "one").tickets)  # the same again
    Gig.objects.update(sold=gig.capacity)
    with pytest.raises(NotOnSale):
        buy(gig, [ADA], "two")
    assert counted("purchases_total", "publish_seconds_count") == {"purchases_total": 1, "publish_seconds_count": 1}
    assert 0 < counted("publish_seconds_sum")["publish_seconds_sum"] < 10


@pytest.mark.django_db(transaction=True)
def test_deliveries_and_mail_times_are_counted(counted, gig, sqs, smtp):
    smtp.sink.rcpt_answers |= {"bob@example.com": "550 no such user", "eve@example.com": "450 later"}
    tickets = buy(gig, [ADA, Owner("Bob", "bob@example.com"), Owner("Eve", "eve@example.com")], "token").tickets
    Ticket.objects.filter(pk=tickets[0].pk).update(mail_asked_at=timezone.now() - timedelta(seconds=100))
    publish(tickets)
    sqs.send_message(QueueUrl=queue.url(), MessageBody="{}")
    call_command("queue", "work", "--batch", stdout=StringIO())
    found = counted(
        "deliveries_total{mailed}",
        "deliveries_total{parked}",
        "mail_seconds_count",
        "purchase_to_mail_seconds_count",
        "purchase_to_mail_seconds_sum",
    )
    assert found.pop("purchase_to_mail_seconds_sum") == pytest.approx(100, abs=5)
    # Bob's and the message that is not ours are parked; Eve's comes again, or not, before the batch ends.
    assert found.pop("mail_seconds_count") >= 3
    assert found == {"deliveries_total{mailed}": 1, "deliveries_total{parked}": 2, "purchase_to_mail_seconds_count": 1}
    assert counted("deliveries_total{put_off}")["deliveries_total{put_off}"] >= 1


def test_facts_come_from_the_database_in_one_statement(scrape, gig, django_assert_num_queries):
    with django_assert_num_queries(1):
        empty = scrape()
    assert {name: empty[name] for name in empty if "tickets" in name or "oldest" in name} == {
        "tickets{unpublished}": 0,
        "tickets{on_the_way}": 0,
        "tickets{parked}": 0,
        "outbox_oldest_seconds": 0,
        "unmailed_oldest_seconds": 0,
    }

    now = timezone.now()
    sold = buy(gig, [ADA] * 7, "token").tickets
    marks = [{}, {}, {"published_at": now}, {"published_at": now}, {"published_at": now}, {"parked_at": now}]
    for age, (ticket, mark) in enumerate(zip(sold, [*marks, {"mailed_at": now}], strict=True)):
        Ticket.objects.filter(pk=ticket.pk).update(mail_asked_at=now - timedelta(hours=1 + age), **mark)
    with django_assert_num_queries(1):
        found = scrape()
    assert [found[f"tickets{{{state}}}"] for state in ("unpublished", "on_the_way", "parked")] == [2, 3, 1]
    assert found["outbox_oldest_seconds"] == pytest.approx(2 * 3600, abs=60)
    assert found["unmailed_oldest_seconds"] == pytest.approx(5 * 3600, abs=60)
    assert found["database_up"] == 1


def test_while_the_database_is_away_the_counts_are_there(scrape, db, monkeypatch):
    def away(*_, **__):
        raise OperationalError("gone")

    monkeypatch.setattr("django.db.models.sql.compiler.SQLCompiler.execute_sql", away)
    found = scrape()
    assert found["database_up"] == 0
    assert "purchases_total" in found
    assert "tickets{parked}" not in found


@pytest.mark.django_db(transaction=True)
def test_a_worker_shows_what_it_counts_while_it_works(gig, sqs, mailoutbox):
    pages = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # At each receive; the last one finds the queue empty, and by then the ticket is mailed.
    queue.consumer().meta.events.register(
        "before-call.sqs.ReceiveMessage",
        lambda **_: pages.append(urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()),
    )
    publish(buy(gig, [ADA], "token").tickets)
    call_command("queue", "work", "--batch", "--metrics-port", str(port), stdout=StringIO())
    first, *_, last = (_numbers(page).get("deliveries_total{mailed}", 0) for page in pages)
    assert last - first == 1
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/metrics")


def test_a_taken_port_is_one_line(sqs, db):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as failed:
            call_command("queue", "work", "--batch", "--metrics-port", str(port), stdout=StringIO())
    assert str(failed.value) == f"can't show metrics at 127.0.0.1:{port}: Address already in use"


# --- The processes of a web server ----------------------------------------------------------------

COUNT_AND_SHOW = """
import timelessmusic.wsgi
from tickets import metrics
metrics.purchases.inc()
metrics.publish_seconds.observe(0.5)
print(metrics.page().decode())
"""


def _web_process(folder, **environment):
    """Do what a process of a web server does, whose parent is this one; return what it shows."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_AND_SHOW],
        env={**os.environ, "TMPDIR": str(folder), "METRICS_TOKEN": TOKEN, **environment},
        cwd=configured.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return _numbers(done.stdout)


def test_the_processes_of_a_web_server_count_together_the_dead_ones_too(tmp_path):
    names = ("purchases_total", "publish_seconds_count", "publish_seconds_sum")
    shown = [_web_process(tmp_path) for _ in range(2)]
    assert [[numbers[name] for name in names] for numbers in shown] == [[1, 1, 0.5], [2, 2, 1]]


def test_what_another_server_left_is_cleaned_at_the_start_and_a_living_ones_is_not(tmp_path):
    base = tmp_path / f"timelessmusic-metrics-{os.getuid()}"
    ended = subprocess.Popen(["true"])
    ended.wait()
    for pid in (ended.pid, 1):
        (base / str(pid)).mkdir(parents=True)
    _web_process(tmp_path)
    assert sorted(folder.name for folder in base.iterdir()) == sorted(["1", str(os.getpid())])


def test_a_folder_of_the_operators_choice_is_used_as_it_is(tmp_path):
    (tmp_path / "chosen").mkdir()
    _web_process(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "chosen"))
    assert [folder.name for folder in tmp_path.iterdir()] == ["chosen"]
    assert sorted(re.sub(r"\d+", "N", path.name) for path in (tmp_path / "chosen").iterdir()) == [
        "counter_N.db",
        "histogram_N.db",
    ]


def test_without_a_token_nothing_is_written(tmp_path):
    assert _web_process(tmp_path, METRICS_TOKEN="")["purchases_total"] == 1
    assert list(tmp_path.iterdir()) == []
