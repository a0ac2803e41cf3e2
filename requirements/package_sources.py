"""Prints, as commands for sh, the settings with which setup.sh calls uv, and pip, which gets uv.

What the user has set about how packages are reached is passed on: a mirror, a proxy, a certificate,
a cache. Variables win over files, and uv's settings over pip's. All else is unset: some, such as
`target` or `no-binary`, would install something else than what is pinned.
"""

import configparser
import os
import re
import shlex
import sys
from urllib.request import getproxies_environment

try:
    import tomllib
except ImportError:  # Python 3.10: of uv's settings, only the variables are obeyed
    tomllib = None

OPTIONS = {  # uv's variable: pip's option, and uv's in files and in UV_... variables
    "UV_DEFAULT_INDEX": "index-url default-index",
    "UV_INDEX": "extra-index-url index",
    "UV_FIND_LINKS": "find-links",
    "NO_INDEX": "no-index",  # for which uv has an option, and setup.sh gives it
    "SSL_CERT_FILE": "cert",
    "SSL_CLIENT_CERT": "client-cert",
    "UV_INSECURE_HOST": "trusted-host allow-insecure-host insecure-host",
    "UV_SYSTEM_CERTS": "native-tls system-certs",
    "https_proxy": "proxy https-proxy",
    "http_proxy": "proxy http-proxy",
    "no_proxy": "no-proxy",
    "UV_HTTP_TIMEOUT": "timeout default-timeout request-timeout http-timeout",
    "UV_HTTP_RETRIES": "retries http-retries",
    "UV_CACHE_DIR": "cache-dir",
    "UV_NO_CACHE": "no-cache-dir no-cache",
    "UV_OFFLINE": "offline",
}
UNTOUCHED = re.compile("UV_(INDEX_.*_(USERNAME|PASSWORD)|KEYRING_|CREDENTIALS_|CONCURRENT_)")
OFF = "0", "no", "off", "false"
PROXIES = "https", "all", "http"
BUNDLES = "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"  # pip obeys all of these
AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"]
HOME = os.path.expanduser("~")
CONFIG = os.environ.get("XDG_CONFIG_HOME") or f"{HOME}/.config"
PIP_CONF = ["/etc/xdg/pip", "/etc", f"{HOME}/.pip", f"{HOME}/Library/Application Support/pip"]
PIP_CONF += [f"{CONFIG}/pip", sys.prefix]
UV_TOML = [f"{folder}/uv/uv.toml" for folder in ("/etc", "/etc/xdg", CONFIG)]


def of_variables(prefix):
    """What the variables that begin so say, {option: text}."""
    names = [name for name in os.environ if name.startswith(prefix) and os.environ[name]]
    return {name[len(prefix) :].lower().replace("_", "-"): os.environ[name] for name in names}


def of_pip():
    """What the user has set for pip, {option: text}."""
    chosen = os.environ.get("PIP_CONFIG_FILE", "")
    files = [*(f"{folder}/pip.conf" for folder in PIP_CONF), chosen]
    settings = configparser.RawConfigParser()
    settings.read([] if chosen == os.devnull else files, encoding="utf-8")
    found = {}
    for section in filter(settings.has_section, ("global", "install")):
        found.update(settings.items(section))
    found.update(of_variables("PIP_"))
    if "cache-dir" in found:
        found["cache-dir"] += "/uv"
    return found


def of_uv():
    """What the user has set for uv in files, {option: value}."""
    found = {}
    chosen = os.environ.get("UV_CONFIG_FILE")
    for path in filter(os.path.exists, [chosen] if chosen else UV_TOML):
        with open(path, "rb") as file:
            found.update(tomllib.load(file) if tomllib else {})
    found.update(found.get("pip", {}))
    for index in found.pop("index", []):
        found["index-url" if index.get("default") else "extra-index-url"] = index["url"]
    return found


def is_there(source):
    """False for a folder that is not there: pip goes on without it, and uv would not."""
    path = source[len("file://") :] if source.startswith("file://") else source
    return "://" in path or os.path.exists(os.path.expanduser(path))


def for_uv(options):
    """Options as uv's variables."""
    variables = {}
    for variable, names in OPTIONS.items():
        for value in (options[name] for name in names.split() if name in options):
            words = value if isinstance(value, list) else str(value).split()
            if variable in ("UV_INDEX", "UV_FIND_LINKS"):
                words = filter(is_there, words)
            text = ("," if variable == "UV_FIND_LINKS" else " ").join(words)
            variables[variable] = "" if text.lower() in OFF else "1" if value is True else text
    return variables


def main():
    try:
        from_files = {**for_uv(of_pip()), **for_uv(of_uv())}
    except (configparser.Error, ValueError) as error:
        sys.exit(f"setup: the settings of pip or uv cannot be read: {error}")
    authorities = next(filter(os.path.exists, AUTHORITIES), "")
    given = next(filter(None, map(os.environ.get, BUNDLES)), "")
    variables = {"UV_SYSTEM_CERTS": "1" if authorities else "", "SSL_CERT_FILE": given}
    variables.update({**from_files, **for_uv(of_variables("UV_"))})
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")) and not UNTOUCHED.match(name):
            print("unset", name)
    pip = {f"PIP_{OPTIONS[name].split()[0]}": variables[name] for name in variables}
    pip = {name.upper().replace("-", "_"): text.replace(",", " ") for name, text in pip.items()}
    pip.update(PIP_CONFIG_FILE=os.devnull, PIP_CERT=variables["SSL_CERT_FILE"] or authorities)
    proxies = [variables.get("https_proxy"), *map(getproxies_environment().get, PROXIES)]
    via = next(filter(None, [*proxies, variables.get("UV_DEFAULT_INDEX")]), "")
    variables["via"] = re.sub("//[^/@]*@", "//...@", via)  # without a password
    for name, value in {**variables, **pip}.items():
        if value:
            print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
