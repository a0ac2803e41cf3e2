# The kit's commands; `make help` lists them. Each does its own set-up first (setup.sh) and works
# from a fresh clone.

# Options are given on the command line, as in make install HOST=192.168.2.99. A shell may have
# variables of these names for its own ends, as csh has HOST; a plain = keeps those out.
HOST =
DESTDIR =
BASE_OVERLAY =
ONLY =
QUICK =
SHOTS =
PYTHON ?=

# A board can load its FPGA.
BOARD_HERE := $(wildcard /sys/class/fpga_manager/fpga0/firmware)

# What users set for other programs, and what would change what the kit's own do. What says how
# packages, boards and servers are reached stays. Shell, tar, grep and git do something else with
# these.
unexport CDPATH ENV BASH_ENV BASHOPTS SHELLOPTS POSIXLY_CORRECT TAR_OPTIONS GZIP GREP_OPTIONS $(filter BASH_FUNC_%,$(.VARIABLES))
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_PREFIX
# Python, pytest and Jupyter: other packages, options and kernels than those of .venv
unexport $(filter PYTHON% PYTEST_%,$(.VARIABLES)) JUPYTER_PATH JUPYTERLAB_DIR
export JUPYTER_PREFER_ENV_PATH := 1
# Ansible: other settings than deploy/ansible.cfg. Those that are kept say how boards are reached.
REACHED_BY := REMOTE_USER REMOTE_PORT PRIVATE_KEY_FILE HOST_KEY_CHECKING SSH_COMMON_ARGS SSH_EXTRA_ARGS
unexport $(filter-out $(REACHED_BY:%=ANSIBLE_%),$(filter ANSIBLE_%,$(.VARIABLES)))
# pynq: accelerator cards, boards on a network
ifeq ($(BOARD_HERE),)
unexport XILINX_XRT PYNQ_REMOTE_DEVICES
endif
# GCC: headers and libraries of the PC's own processor
unexport CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX
# The dynamic linker: other tools' libraries (Vivado's settings64.sh sets it), unless this Python
# itself needs it
ifdef LD_LIBRARY_PATH
ifeq ($(shell env -u LD_LIBRARY_PATH $(or $(wildcard .venv/bin/python),$(PYTHON),python3) -Ic 'print(1)' 2>&1),1)
unexport LD_LIBRARY_PATH
endif
endif

# A board has Python with pynq in its image; a PC uses .venv/.
ifdef BOARD_HERE
VENV   := $(wildcard /usr/local/share/pynq-venv)
BIN    := $(if $(VENV),$(VENV)/bin/)
# Images before v2.7 have no XRT, and their pynq does not import if this is set.
ifneq ($(wildcard /usr/lib/libxrt_core.so),)
export XILINX_XRT ?= /usr
endif
# sudo would leave __pycache__ folders that only root can remove.
export PYTHONDONTWRITEBYTECODE := 1
# The folder of the notebooks that students run
export TUTORIAL := $(shell python3 -E -B -c 'from deploy import image; print(image.notebooks_folder())')/pynq_tutorial
NOTEBOOKS := $(TUTORIAL)
LINKED :=
SETUP  := @:
else
BIN    := .venv/bin/
NOTEBOOKS := notebooks
LINKED := bitstream iop mb_src
SETUP  := @PYTHON='$(PYTHON)' sh setup.sh
endif
PC_ONLY = $(if $(BOARD_HERE),$(error make $@ is for a PC, and this is a board))

# More of JupyterLab's options, as in make lab LAB=--no-browser
LAB =

.DEFAULT_GOAL := help
.PHONY: help lab run test test-slow executed test-long test-images test-board test-systems test-browser test-deploy test-container
.PHONY: test-hub install uninstall classroom collect report image doctor compiler firmware edition firmware-check bench requirements clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

lab: ## JupyterLab on the notebooks
	$(SETUP)
ifdef BOARD_HERE
	@echo "This board's own Jupyter serves the notebooks: open http://$$(hostname):9090 in a browser."
else
	@$(BIN)jupyter lab --notebook-dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB)
endif

run: ## the IOP example in the terminal
	$(SETUP)
	@$(BIN)python3 -m deploy.run $(NOTEBOOKS)/2_iop_example.ipynb

test: ## every notebook, executed and compared, and the quick tests; ONLY=test_idle chooses; on a board, with sudo, the installed notebooks
	$(SETUP)
	@$(if $(BOARD_HERE),python3 tests/notebooks/on_board.py,$(BIN)python3 -m pytest -n 2 --dist loadfile tests notebooks \
		$(if $(ONLY),-m 'not long and not deploy' -k '$(ONLY)'))

test-slow: ## the tests that look into every corner: exercises' checks, set-up, faults, drivers, cells of C
	$(PC_ONLY)
	$(SETUP)
	@$(BIN)python3 -m pytest -n 2 --dist loadfile tests -m 'slow and not long and not deploy'

# The user's own start-up files and settings are for make lab.
run executed: export IPYTHONDIR = $(CURDIR)/.venv/ipython
run executed: export JUPYTER_CONFIG_DIR = $(CURDIR)/.venv/etc/jupyter

executed: ## every notebook, executed here and now, into executed/
	$(SETUP)
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && trap 'exit 130' HUP INT TERM && \
		cp -R $(NOTEBOOKS) $(LINKED) "$$copy" && rm -rf "$$copy/$(notdir $(NOTEBOOKS))/my_firmware" && \
		$(BIN)python3 -m nbconvert --to notebook --execute --allow-errors --output-dir executed \
			"$$copy/$(notdir $(NOTEBOOKS))"/[0-9]_*.ipynb

test-long: ## ten thousand random requests, a class of twenty, three minutes of everything at once, interrupts at each line
	$(PC_ONLY)
	$(SETUP) kit board
	@$(BIN)python3 -m pytest tests -m long --timeout=1200 -s
	@STORM=180 $(BIN)python3 -m pytest -c tests/board/pytest.ini tests/board -s -k 'storm and 3.1.2'

test-images: ## the IOP example and the unit tests under the pynq and the Python of each stock image; ONLY=3.10 chooses
	$(PC_ONLY)
	@PYTHONPATH=tests python3 -m systems.images $(ONLY)

test-board: ## the kit on a stand-in for a board, with pynq's own board classes, under each pynq of the images; ONLY=3.0.1 chooses
	$(PC_ONLY)
	$(SETUP) kit board
	@$(BIN)python3 -m pytest -c tests/board/pytest.ini tests/board -n 4 --dist worksteal $(if $(ONLY),-k '$(ONLY)')

test-systems: ## `make test test-slow` from a fresh clone on bare Debian 12, 13 and sid, and on ARM, with root; ONLY=trixie chooses
	$(PC_ONLY)
	@PYTHONPATH=tests python3 -m systems.systems $(ONLY)

test-browser: ## every notebook in a browser, step by step; SHOTS=folder keeps screenshots, ONLY=lab4-2 chooses
	$(PC_ONLY)
	$(SETUP) kit browser
	@SHOTS='$(SHOTS)' .browser/bin/python -m pytest -c tests/browser/pytest.ini tests/browser $(if $(ONLY),-k '$(ONLY)')

test-deploy: ## the installer when it is killed, over SSH, and in a classroom; the Python package; the CI workflow
	$(PC_ONLY)
	$(SETUP) kit deploy
	@$(BIN)python3 -m pytest tests -m deploy --timeout=1200 -v

test-hub: ## a class of twenty on a real JupyterHub, each with a server and a board of their own; needs root on Linux
	$(PC_ONLY)
	$(SETUP) hub
	@sh tests/hub/machine.sh .hub/bin/python -m pytest -c tests/hub/pytest.ini tests/hub

# ANSWERS=no leaves the exercises' solutions out. A later installation without it brings them.
ANSWERS ?= yes
NO_ANSWERS = $(if $(filter yes,$(ANSWERS)),,$(if $(filter no,$(ANSWERS)),--no-answers,$(error ANSWERS is $(ANSWERS): give yes or no)))

quoted = '$(subst ','\'',$(1))'
INSTALL = $(if $(DESTDIR),--destdir $(call quoted,$(DESTDIR))) \
	$(if $(BASE_OVERLAY),--base-overlay $(call quoted,$(BASE_OVERLAY))) $(NO_ANSWERS)

install: ## on a board, with sudo: into its Jupyter; from a PC: make install HOST=192.168.2.99; ANSWERS=no without solutions
	@$(if $(HOST),sh deploy/over_ssh.sh $(call quoted,$(HOST)),python3 -m deploy.install) $(INSTALL)

uninstall: ## removes what was installed and nobody changed; on a board with sudo, or with HOST=...
	@$(if $(HOST),sh deploy/over_ssh.sh $(call quoted,$(HOST)),python3 -m deploy.install) --uninstall $(INSTALL)

# More of ansible-playbook's options, as in make classroom ANSIBLE="-e uninstall=true"
ANSIBLE =
BOARDS = boards.yml

# The first steps of a command for all boards of an inventory
define on_all_boards
	$(PC_ONLY)
	@[ -e $(call quoted,$(BOARDS)) ] || { echo $(call quoted,$(BOARDS))" is not there, and should list your boards: copy" \
		"deploy/boards.example.yml to it, and list them in it." >&2; exit 1; }
	$(SETUP) deploy
endef
PLAYBOOK = LC_ALL=C.UTF-8 ANSIBLE_CONFIG=deploy/ansible.cfg .deploy/bin/ansible-playbook -i $(call quoted,$(BOARDS))

classroom: ## installs on all boards of an inventory: make classroom BOARDS=boards.yml; ANSWERS=no without solutions
	$(on_all_boards)
	@sh deploy/pack.sh $(NO_ANSWERS) > .deploy/kit.tar.gz
	@$(PLAYBOOK) deploy/classroom.yml -e answers=$(ANSWERS) $(ANSIBLE)

DIR = collected

collect: ## brings the changed notebooks of all boards into collected/BOARD/: make collect BOARDS=boards.yml; DIR=... elsewhere
	$(on_all_boards)
	@python3 -B -m deploy.collect run $(call quoted,$(DIR)) env $(PLAYBOOK) deploy/collect.yml $(ANSIBLE)

# EXECUTE=yes runs the notebooks again, in the image that make image builds, in place of reading
# what is stored in them.
EXECUTE ?= no
EXECUTED = $(if $(filter yes,$(EXECUTE)),--execute,$(if $(filter no,$(EXECUTE)),,$(error EXECUTE is $(EXECUTE): give yes or no)))

report: ## who has solved which exercise, from the notebooks in collected/, also as files; DIR=... elsewhere; EXECUTE=yes runs them
	@python3 -B -m deploy.report $(call quoted,$(DIR)) $(EXECUTED)

# More of the build's options, as in make image BUILD='--build-arg BASE=debian:13-slim'
BUILD =

image: ## a container image of the kit, pynq-tutorial, for a class without boards; with podman, buildah or Docker
	$(PC_ONLY)
	@engine=$$(command -v podman || command -v buildah || command -v docker) || { echo "make image needs podman, buildah or" \
		"Docker, and none is here: sudo apt-get install podman, or Docker Desktop on Windows and macOS." >&2; exit 1; }; \
		BUILDAH_FORMAT=docker "$$engine" build --tag pynq-tutorial $(BUILD) .

test-container: ## the image, built and run with podman: a student's work, a hub's student, make report EXECUTE=yes; needs root and Debian
	$(PC_ONLY)
	$(SETUP)
	@PYTHONPATH=tests $(BIN)python3 -m container $(if $(ONLY),-k '$(ONLY)')

doctor: ## checks what the kit needs on this machine, and prints remedies
	@python3 -m deploy.doctor $(if $(DESTDIR),$(call quoted,$(DESTDIR)))

# The folders that an installation needs. A board needs neither the links in notebooks/ that lead to
# the others, nor a container or a class's server.
EDITION_FOLDERS := notebooks iop mb_src bitstream deploy ':!deploy/container' ':!deploy/hub'

compiler: ## builds the compiler for notebooks 4, 7 and 8 into the user's cache folder, once
	@python3 mb_src/compiler.py

firmware: ## builds iop/pynq_tutorial.bin from mb_src/
	@$(MAKE) -C mb_src --no-print-directory

edition: ## writes deploy/edition.txt, the list of the files in git that boards get; they get no others
	@files=$$(git -c core.quotePath=off ls-files -s $(EDITION_FOLDERS)) && [ -n "$$files" ] && \
		printf '%s\n' "$$files" | grep -v '^120000 ' | cut -f 2 | LC_ALL=C sort > deploy/edition.new
	@mv deploy/edition.new deploy/edition.txt

firmware-check: ## is iop/pynq_tutorial.bin what mb_src/ makes?
	@$(MAKE) -C mb_src --no-print-directory check

bench: ## measures how fast everything is, beside something comparable; QUICK=1 only tests the bench itself
	$(SETUP)
	@$(BIN)python3 -m bench $(if $(QUICK),--quick)

# Each requirements.in has the reasons. A line in the first overrides what a package asks for.
# Versions stay as they are if they can; remove a requirements.txt first to get the newest of
# everything. uv's own version is in requirements-uv.txt alone.
LOCK = $$(command -v .uv/uv || command -v uv) --no-config pip compile --quiet --universal --python-version 3.10 \
	--fork-strategy fewest --generate-hashes --custom-compile-command 'make requirements'

requirements: ## writes each requirements.txt, with every version and hash, from the requirements.in beside it
	$(PC_ONLY)
	$(SETUP)
	@$(LOCK) --override requirements.in --output-file requirements.txt requirements.in
	@for part in deploy tests/browser; do \
		$(LOCK) --no-annotate --output-file $$part/requirements.txt $$part/requirements.in || exit; done
	@sed -n '/^pydantic/d; s/^\([a-z0-9].*\) \\$$/\1/p' requirements.txt | \
		$(LOCK) --no-annotate --constraint - --output-file deploy/hub/requirements.txt deploy/hub/requirements.in
	@uv=$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements-uv.txt) && \
		echo "$$uv" | $(LOCK) --no-annotate --output-file requirements-uv.txt -

# By name, because other files in these folders, and folders of these names elsewhere, are a
# student's. So are Jupyter's checkpoints, which are the only copy of a notebook as it was before it
# was saved.
MADE := .venv .uv .browser .deploy .container .hub .images .hypothesis .pytest_tmp build/lib/pynq_tutorial build/bdist.* pynq_tutorial.egg-info
MADE_FILES := bench/bench.json teaching/first_twenty_minutes.slides.html mb_src/build/pynq_tutorial.* mb_src/build/unoptimised.*
HAVE_PYTHON := . bench bitstream deploy deploy/action_plugins deploy/container deploy/package iop mb_src notebooks/checks tests tests/board tests/browser \
	tests/container tests/hub virtual_board

clean: ## removes the files that the kit made here; the compiler in the user's cache folder stays
	rm -rf $(MADE)
	rm -f $(MADE_FILES) $(HAVE_PYTHON:=/__pycache__/*.pyc)
	@for notebook in notebooks/[0-9]_*.ipynb; do rm -f "executed/$${notebook#notebooks/}"; done
	@rmdir build/lib build executed mb_src/build $(HAVE_PYTHON:=/__pycache__) 2>/dev/null || true
