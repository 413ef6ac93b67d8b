"""A client as people write it: each caller that is refused refreshes for itself. Standard library only.

It shows what the suites for clients find; nobody should copy it.
"""

import concurrent.futures
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

ENV = {name[11:].lower(): value for name, value in os.environ.items() if name.startswith("GRANTCHECK_")}
FLOW = ENV["flow"]
TOKENS = {"access_token": ENV.get("access_token"), "refresh_token": ENV.get("refresh_token")}


def ask(url, form=None, token=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, data)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def renew():
    form = {"client_id": ENV["client_id"], "client_secret": ENV.get("client_secret", "")}
    if FLOW == "refresh-token":
        form |= {"grant_type": "refresh_token", "refresh_token": TOKENS["refresh_token"]}
    else:
        form |= {"grant_type": "client_credentials"}
    status, body = ask(ENV["org_url"] + "/services/oauth2/token", form)
    if status != 200:
        raise SystemExit(f"no token: {status}")
    TOKENS["access_token"] = json.loads(body)["access_token"]


def call(number):
    url = f"{ENV['org_url']}/services/data/v62.0/limits?call={number}"
    if not TOKENS["access_token"]:
        renew()
    status, _ = ask(url, token=TOKENS["access_token"])
    if status == 401:
        renew()
        status, _ = ask(url, token=TOKENS["access_token"])
    return status == 200


if FLOW not in ("refresh-token", "client-credentials"):
    sys.exit(89)
with concurrent.futures.ThreadPoolExecutor(int(ENV["concurrency"])) as pool:
    sys.exit(0 if all(pool.map(call, range(int(ENV["calls"])))) else 1)
