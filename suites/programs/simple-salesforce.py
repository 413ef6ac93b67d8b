# simple-salesforce as it is: a login in each way that it has, then calls of the API.
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from simple_salesforce import Salesforce

given = {name[11:]: value for name, value in os.environ.items() if name.startswith("GRANTCHECK_")}
# It builds its URLs by itself: https://DOMAIN.salesforce.com.
domain = urlsplit(given["ORG_URL"]).hostname.removesuffix(".salesforce.com")
logins = {
    "jwt-bearer": {"username": given["USERNAME"], "consumer_key": given["CLIENT_ID"], "privatekey_file": given.get("KEY")},
    "client-credentials": {"consumer_key": given["CLIENT_ID"], "consumer_secret": given.get("CLIENT_SECRET")},
}
if given["FLOW"] not in logins:
    sys.exit(89)
salesforce = Salesforce(domain=domain, **logins[given["FLOW"]])
with ThreadPoolExecutor(int(given.get("CONCURRENCY", 1))) as pool:
    calls = [pool.submit(salesforce.restful, "limits", {"call": call}) for call in range(int(given.get("CALLS", 1)))]
failed = [call.exception() for call in calls if call.exception()]
if failed:
    sys.exit(f"{len(failed)} calls failed: {type(failed[0]).__name__}")
