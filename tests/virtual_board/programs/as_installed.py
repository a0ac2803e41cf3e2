"""Fails if a file of pynq is not as it was installed."""

import base64
import hashlib
import importlib.metadata

for package in "pynq", "pynqmetadata", "pynqutils":
    for file in importlib.metadata.files(package):
        if file.hash and not str(file).endswith(".pyc"):
            digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
            found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert found == file.hash.value, file
