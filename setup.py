"""Says what pyproject.toml cannot: the package consists of the files in deploy/edition.txt, and no
others of the kit's folders."""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

with open(os.path.join("deploy", "edition.txt")) as listed:
    EDITION = {os.path.join(*name.split("/")) for name in listed.read().splitlines()}


class FilesOfTheEdition(build_py):
    """Builds each package from the edition's files: Python modules and others."""

    def find_package_modules(self, package, package_dir):
        return [
            found
            for found in super().find_package_modules(package, package_dir)
            if os.path.relpath(found[2]) in EDITION
        ]

    def find_data_files(self, package, src_dir):
        folder = os.path.relpath(src_dir)
        return sorted(
            name
            for name in EDITION
            if name.startswith(folder + os.sep)
            # these are modules
            and not (os.path.dirname(name) == folder and name.endswith(".py"))
        )


setup(cmdclass={"build_py": FilesOfTheEdition})
