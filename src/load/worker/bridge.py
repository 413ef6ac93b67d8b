# The bridge between a Locust master and workers of grantcheck, written by `grantcheck worker --bridge`.
#
#   locust -f THIS_FILE --master --headless --users 20 --spawn-rate 5 --run-time 10m --expect-workers 2
#   grantcheck worker --master HOST:5557 SUITE...              on each machine, with the suites of which this was written
#
# The master says how many users there are of each scenario (in an open run: how many plays of it begin in a second), and
# shows what the workers tell. When a test is over, it collects their reports, which `grantcheck merge` puts together
# exactly; its exit code is that of Locust. Nothing secret goes over the wire: workers have their own environment.
import datetime
import logging
import os
import re
import shutil
import subprocess
import time
import zlib

import gevent
from locust import User, events, task
from locust.runners import STATE_MISSING, MasterRunner

# Class, weight, scenario.
SCENARIOS = @SCENARIOS@

MESSAGE = "grantcheck_report"
CANNOT_VOUCH = 3
# The most bytes of the report of one worker.
LONGEST = 256 * 1024 * 1024

log = logging.getLogger("grantcheck")


class Scenario(User):
    """Stands for users of a worker; it does nothing itself."""

    abstract = True

    @task
    def plays_elsewhere(self):
        # The workers play; a user of the master's own has nothing to do, and must not spin.
        gevent.sleep(3600)


for _class, _weight, _scenario in SCENARIOS:
    globals()[_class] = type(
        _class, (Scenario,), {"abstract": False, "weight": _weight, "__doc__": _scenario, "__module__": __name__}
    )

reports = {}  # by worker: what it answered, None where it played nothing
played = set()  # workers that had users


@events.init_command_line_parser.add_listener
def arguments(parser, **_):
    parser.add_argument(
        "--grantcheck",
        default=os.environ.get("GRANTCHECK", "grantcheck"),
        include_in_web_ui=False,
        help="the grantcheck that merges the reports of the workers (GRANTCHECK, or `grantcheck`)",
    )
    parser.add_argument(
        "--grantcheck-reports",
        default="grantcheck-reports",
        include_in_web_ui=False,
        help="folder for the reports, one in it for each test",
    )
    parser.add_argument(
        "--grantcheck-wait",
        type=float,
        default=60.0,
        include_in_web_ui=False,
        help="how many seconds reports are waited for",
    )


@events.init.add_listener
def begin(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message(MESSAGE, answered)
    else:
        log.error("this file is for a master: start Locust with --master, and workers with `grantcheck worker`")


@events.test_start.add_listener
def test_begins(environment, **_):
    reports.clear()
    played.clear()


@events.worker_report.add_listener
def told(client_id, data, **_):
    if data.get("user_count"):
        played.add(client_id)


def answered(environment, msg, **_):
    reports[msg.node_id] = (msg.data or {}).get("report")


@events.test_stop.add_listener
def test_ends(environment, **_):
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return
    options = environment.parsed_options
    asked = [client.id for client in runner.clients.all if client.state != STATE_MISSING]
    played.update(client.id for client in runner.clients.all if client.user_count)
    for worker in asked:
        runner.send_message(MESSAGE, None, client_id=worker)

    def late():
        there = {client.id for client in runner.clients.all if client.state != STATE_MISSING}
        return [worker for worker in asked if worker not in reports and worker in there]

    until = time.monotonic() + options.grantcheck_wait
    while late() and time.monotonic() < until:
        # Lets the reports come in: Locust has no event for them.
        gevent.sleep(0.05)
    parts = {worker: report for worker, report in reports.items() if report}
    workers = len(played | set(parts))
    name = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = os.path.join(options.grantcheck_reports, name)
    os.makedirs(os.path.join(folder, "parts"), exist_ok=True)
    for worker, report in parts.items():
        file = re.sub(r"[^A-Za-z0-9._-]", "_", worker) + ".json"
        with open(os.path.join(folder, "parts", file), "wb") as out:
            out.write(zlib.decompressobj().decompress(report, LONGEST))
    log.info("%d of %d workers handed in their report: %s", len(parts), workers, folder)
    environment.process_exit_code = merged(options, folder, len(parts), workers)


def merged(options, folder, parts, workers):
    if not parts:
        log.error("there is no report to merge")
        return CANNOT_VOUCH
    whole = ",".join(
        f"{kind}={os.path.join(folder, file)}"
        for kind, file in (("json", "report.json"), ("prometheus", "report.prom"), ("csv", "series.csv"))
    )
    command = [options.grantcheck, "merge", os.path.join(folder, "parts"), "--report", whole]
    # What was counted by a worker that is gone is in Locust's statistics, but in no exact report.
    command += ["--parts", str(workers), "--allow", "missing"]
    if shutil.which(options.grantcheck) is None:
        log.error("there is no %s here; where there is one: %s", options.grantcheck, " ".join(command))
        return CANNOT_VOUCH
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="", flush=True)
    return done.returncode
