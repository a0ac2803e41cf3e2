"""healthy.py: ends with 0 if the container's server answers, whether JupyterLab or a hub's
single-user server."""

import os
import sys
import urllib.error
import urllib.request

address = os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:8888/").rstrip("/") + "/api"
try:
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=8).close()
except urllib.error.HTTPError as error:
    sys.exit(error.code >= 500)  # to be refused is an answer
except OSError as error:
    sys.exit(f"{address}: {error}")
