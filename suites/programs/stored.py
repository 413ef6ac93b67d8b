"""A client whose processes share their tokens: one file, one lock, and nothing is used before it is kept.

Standard library only. It passes suites/client/processes.yaml, by the flows that it has.
"""

import concurrent.futures
import fcntl
import json
import os
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

ENV = {name[11:].lower(): value for name, value in os.environ.items() if name.startswith("GRANTCHECK_")}
FLOW, STORE = ENV["flow"], ENV.get("store") or tempfile.mkdtemp()
FILE = os.path.join(STORE, "tokens.json")


def ask(url, form=None, token=None):
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode() if form else None)
    request.add_header("Accept", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def kept():
    try:
        with open(FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {name: ENV.get(name) for name in ("access_token", "refresh_token")}


def keep(tokens):
    # Written beside it and moved into its place: whoever is killed here leaves the old file whole.
    new = f"{FILE}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(tokens, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, FILE)


def renewed(dead):
    """The tokens in force in place of a dead access token. The system lets go of the lock of whoever is killed."""
    with open(os.path.join(STORE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = kept()
        if tokens["access_token"] != dead or tokens.get("over"):
            return tokens
        form = {"client_id": ENV["client_id"], "client_secret": ENV.get("client_secret", "")}
        if FLOW == "refresh-token":
            form |= {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        else:
            form |= {"grant_type": "client_credentials"}
        status, body = ask(ENV["org_url"] + "/services/oauth2/token", form)
        if status == 200:
            answer = json.loads(body)
            tokens = {name: answer.get(name) or tokens[name] for name in ("access_token", "refresh_token")}
        else:
            tokens["over"] = status
        keep(tokens)
        return tokens


def call(number):
    url = f"{ENV['org_url']}/services/data/v62.0/limits?call={number}"
    tokens = kept()
    if not tokens["access_token"]:
        tokens = renewed(tokens["access_token"])
    for again in (True, False):
        if tokens.get("over"):
            return False
        status, _ = ask(url, token=tokens["access_token"])
        if status != 401 or not again:
            return status == 200
        tokens = renewed(tokens["access_token"])


if FLOW not in ("refresh-token", "client-credentials"):
    sys.exit(89)
with concurrent.futures.ThreadPoolExecutor(int(ENV["concurrency"])) as pool:
    sys.exit(0 if all(pool.map(call, range(int(ENV["calls"])))) else 1)
