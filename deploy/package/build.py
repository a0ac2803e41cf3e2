"""What pyproject.toml cannot say: a package has the files in deploy/edition.txt and no others."""

import os

from setuptools.command.build_py import build_py

with open(os.path.join("deploy", "edition.txt")) as listed:
    EDITION = {os.path.join(*name.split("/")) for name in listed.read().splitlines()}


class FilesOfTheEdition(build_py):
    """Builds each package from the edition's files: Python modules and others."""

    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if os.path.relpath(module[2]) in EDITION]

    def find_data_files(self, package, src_dir):
        folder = os.path.relpath(src_dir)
        inside = {name for name in EDITION if name.startswith(folder + os.sep)}
        modules = {n for n in inside if os.path.dirname(n) == folder and n.endswith(".py")}
        return sorted(inside - modules)
