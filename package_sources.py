"""Prints, as commands for sh, the settings with which setup.sh calls uv, and pip, which gets uv.

What the user has set for pip or uv about how packages are reached is passed on: a mirror, a proxy,
a certificate, a cache. Variables win over files, and uv's settings over pip's. All others are
removed: some, such as `target` or `no-binary`, would install something else than what is pinned.
"""

import configparser
import os
import shlex
import sys
import urllib.request

try:
    import tomllib
except ImportError:  # Python 3.10: of uv's settings, only the variables are obeyed
    tomllib = None

OPTIONS = {  # in pip's or uv's files: uv's variable
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "NO_INDEX",  # for which uv has an option, and setup.sh gives it
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "trusted-host": "UV_INSECURE_HOST",
    "allow-insecure-host": "UV_INSECURE_HOST",
    "native-tls": "UV_SYSTEM_CERTS",
    "system-certs": "UV_SYSTEM_CERTS",
    "proxy": "https_proxy",
    "https-proxy": "https_proxy",
    "http-proxy": "http_proxy",
    "no-proxy": "no_proxy",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "cache-dir": "UV_CACHE_DIR",
    "no-cache-dir": "UV_NO_CACHE",
    "no-cache": "UV_NO_CACHE",
    "offline": "UV_OFFLINE",
    "keyring-provider": "UV_KEYRING_PROVIDER",
}
ALSO_OBEYED = {
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_NATIVE_TLS",
    "UV_REQUEST_TIMEOUT",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_CREDENTIALS_DIR",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_INSTALLS",
}
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
OFF = "0", "no", "off", "false", "n", "f"
HOME = os.path.expanduser("~")
CONFIG = os.environ.get("XDG_CONFIG_HOME") or f"{HOME}/.config"
FOR_ALL = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")[::-1]


def of_pip():
    """What the user has set for pip, {option: text}."""
    paths = [f"{folder}/pip/pip.conf" for folder in FOR_ALL]
    paths += [
        "/Library/Application Support/pip/pip.conf",
        "/etc/pip.conf",
        f"{HOME}/.pip/pip.conf",
        f"{HOME}/Library/Application Support/pip/pip.conf",
        f"{CONFIG}/pip/pip.conf",
    ]
    prefixes = os.environ.get("CONDA_PREFIX"), os.environ.get("VIRTUAL_ENV"), sys.prefix
    paths += [f"{prefix}/pip.conf" for prefix in prefixes if prefix]
    last = os.environ.get("PIP_CONFIG_FILE", "")
    settings = configparser.RawConfigParser()
    for path in [] if last == os.devnull else [*paths, last]:
        try:
            settings.read(path, encoding="utf-8")
        except (configparser.Error, ValueError) as error:
            sys.exit(f"setup: pip cannot read {path}: {error}")
    found = {}
    for section in "global", "install":
        found.update(settings.items(section) if settings.has_section(section) else [])
    found.update(
        (name[4:].lower().replace("_", "-"), value)
        for name, value in os.environ.items()
        if name.startswith("PIP_") and value
    )
    return {name: value for name, value in found.items() if name in OPTIONS}


def of_uv():
    """What the user has set for uv in its files, {option: value}."""
    paths = [*(f"{folder}/uv/uv.toml" for folder in ["/etc", *FOR_ALL, CONFIG])]
    if os.environ.get("UV_CONFIG_FILE"):
        paths = [os.environ["UV_CONFIG_FILE"]]
    found = {}
    for path in paths if tomllib and os.environ.get("UV_NO_CONFIG", "0").lower() in OFF else []:
        try:
            with open(path, "rb") as file:
                settings = tomllib.load(file)
        except OSError:
            continue
        except ValueError as error:
            sys.exit(f"setup: uv cannot read {path}: {error}")
        indexes = settings.get("index", [])
        settings.update({"index-url": index["url"] for index in indexes if index.get("default")})
        more = [index["url"] for index in indexes if not index.get("default")]
        settings.update({"extra-index-url": more} if more else {})
        settings.update(settings.get("pip", {}))
        found.update((name, value) for name, value in settings.items() if name in OPTIONS)
    return found


def is_there(source):
    """False for a folder that is not there: pip goes on without it, and uv would not."""
    path = (
        urllib.request.url2pathname(source[len("file://") :])
        if source.startswith("file:")
        else source
    )
    return "://" in path or os.path.exists(os.path.expanduser(path))


def for_uv(options):
    """Options of pip's and uv's files as uv's variables."""
    variables = {}
    for name, value in options.items():
        words = value if isinstance(value, list) else str(value).split()
        if name in ("extra-index-url", "find-links"):
            words = filter(is_there, words)
        text = ("," if name == "find-links" else " ").join(words)
        if isinstance(value, bool) or name in ("no-index", "no-cache-dir"):
            text = "" if text.lower() in OFF else "1"
        if name == "keyring-provider" and text != "subprocess":  # uv knows no other
            text = ""
        variables[OPTIONS[name]] = text
    if "proxy" in options:
        variables["http_proxy"] = variables["https_proxy"]
    return {name: text for name, text in variables.items() if text}


def main():
    pip = of_pip()
    authorities = next(filter(os.path.exists, AUTHORITIES), "")
    variables = {"UV_SYSTEM_CERTS": "1" if authorities or sys.platform == "darwin" else ""}
    for name in "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE":  # pip obeys these too
        variables["SSL_CERT_FILE"] = os.environ.get(name) or variables.get("SSL_CERT_FILE", "")
    cache = {"cache-dir": f"{pip['cache-dir']}/uv"} if "cache-dir" in pip else {}
    variables.update(for_uv({**pip, **cache, **of_uv()}))
    obeyed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("UV_INDEX_")
        or name in ALSO_OBEYED
        or name in OPTIONS.values()
        and name.startswith("UV_")
    }
    for older, name in (
        ("UV_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
        ("UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
        ("UV_REQUEST_TIMEOUT", "UV_HTTP_TIMEOUT"),
    ):
        if older in obeyed:
            variables[name] = obeyed.pop(older)
    variables.update(obeyed)
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            print("unset", name)
    variables.update(
        {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip.items()}
    )
    variables.update(
        PIP_INDEX_URL=variables.get("UV_DEFAULT_INDEX"),
        PIP_CONFIG_FILE=os.devnull,
        PIP_CERT=variables["SSL_CERT_FILE"] or authorities,
    )
    for name, value in variables.items():
        if value:
            print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
