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

# What users set for other programs would change what the kit's own do. What says how packages,
# boards and servers are reached stays. Shell, tar, grep and git:
unexport CDPATH ENV BASH_ENV BASHOPTS SHELLOPTS $(filter BASH_FUNC_%,$(.VARIABLES))
unexport POSIXLY_CORRECT TAR_OPTIONS GZIP GREP_OPTIONS
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_PREFIX
# Python, pytest and Jupyter: other packages, options and kernels than those of .venv
unexport $(filter PYTHON% PYTEST_%,$(.VARIABLES)) JUPYTER_PATH JUPYTERLAB_DIR
export JUPYTER_PREFER_ENV_PATH := 1
# Ansible: other settings than deploy/ansible.cfg. Those that are kept say how boards are reached.
REACHED_BY := REMOTE_USER REMOTE_PORT PRIVATE_KEY_FILE HOST_KEY_CHECKING SSH_COMMON_ARGS \
	SSH_EXTRA_ARGS
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
ITS_PYTHON := $(or $(wildcard .venv/bin/python),$(PYTHON),python3)
ifeq ($(shell env -u LD_LIBRARY_PATH $(ITS_PYTHON) -Ic 'print(1)' 2>&1),1)
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
# where the images have the MicroBlaze's compiler; sudo drops their PATH
export PATH := $(PATH):/opt/microblazeel-xilinx-elf/bin
# sudo would leave __pycache__ folders that only root can remove.
export PYTHONDONTWRITEBYTECODE := 1
# The folder of the notebooks that students run
JUPYTERS := $(shell python3 -E -B -c 'from deploy import image; print(image.notebooks_folder())')
export TUTORIAL := $(JUPYTERS)/pynq_tutorial
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
.PHONY: help lab run executed doctor lint test test-all test-slow test-long test-images test-board
.PHONY: test-systems test-browser test-deploy test-container test-hub test-arm bench board
.PHONY: install uninstall classroom collect report sheets image
.PHONY: compiler firmware firmware-check edition requirements clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

lab: ## JupyterLab on your own copy of the notebooks; ANSWERS=no as below; LAB=--no-browser
	$(SETUP)
ifdef BOARD_HERE
	@echo "This board's own Jupyter serves the notebooks: open http://$$(hostname):9090 in a browser."
else
	@NO_ANSWERS=$(call yes_or_no,ANSWERS,no) exec $(BIN)python3 -B deploy/container/start.py \
		--in $(call quoted,$(CURDIR)) $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB)
endif

board: ## boots an emulated ARM board, with ssh and Jupyter, to rehearse an installation
	$(PC_ONLY)
	$(SETUP) kit arm
	@exec $(BIN)python3 -m arm_board

run: ## the IOP example in the terminal
	$(SETUP)
	@$(BIN)python3 -m deploy.run $(NOTEBOOKS)/2_iop_example.ipynb

# The user's own start-up files and settings are for make lab. A kernel of a slow board's needs more
# than nbconvert's 60 s to start.
run executed: export JUPYTER_CONFIG_DIR = $(CURDIR)/.venv/etc/jupyter

executed: ## every notebook, executed here and now, into executed/
	$(SETUP)
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && trap 'exit 130' HUP INT TERM && \
		cp -R $(NOTEBOOKS) $(LINKED) "$$copy" && rm -rf "$$copy/$(notdir $(NOTEBOOKS))/my_firmware" && \
		IPYTHONDIR="$$copy/ipython" $(BIN)python3 -m nbconvert --to notebook --execute \
			--ExecutePreprocessor.startup_timeout=300 \
			--allow-errors --output-dir executed "$$copy/$(notdir $(NOTEBOOKS))"/[0-9]_*.ipynb

lint: ## ruff and shellcheck, as CI runs them
	$(SETUP) lint
	@.lint/bin/ruff format --check && .lint/bin/ruff check
	@.lint/bin/shellcheck $$(git ls-files '*.sh' .ci/run arm_board/initrd_init \
		arm_board/root/usr/local/lib/board)
	@! git grep -nE '.{101}' -- '*.sh' .ci/run '*.[chS]' '*.ld' '*Makefile'

PYTEST = $(BIN)python3 -m pytest
TWO_AT_ONCE = $(PYTEST) -n 2 --dist loadfile
chosen = $(if $(ONLY),-k '$(ONLY)')

test: ## every notebook, and the quick tests; ONLY=test_idle chooses; on a board with sudo
	$(SETUP)
	@$(if $(BOARD_HERE),python3 tests/notebooks/on_board.py,$(TWO_AT_ONCE) tests notebooks \
		$(if $(ONLY),-m 'not long and not deploy') $(chosen))

# Of what tries the same several times, the systems and releases that differ most.
test-all: ## what CI runs: the suites below, in under an hour; needs root and Debian
	@$(MAKE) --no-print-directory test test-slow
	@$(MAKE) --no-print-directory test-systems ONLY=trixie-root
	@$(MAKE) --no-print-directory test-images ONLY=3.10
	@$(MAKE) --no-print-directory test-hub test-container
	@$(MAKE) --no-print-directory -j 2 --output-sync test-browser test-deploy # which mostly wait
	@$(MAKE) --no-print-directory test-board ONLY='2.6.2 or 3.1.2'

# Each suite: the parts of the set-up that it needs, and its command. ONLY=... chooses among tests.
SUITES := slow images systems hub container browser deploy board arm long
$(SUITES:%=test-%):
	$(PC_ONLY)
	$(if $(PARTS),$(SETUP) $(PARTS))
	@$(RUN)

test-slow: ## the slower tests: checks, set-up, faults, drivers, C
test-slow: PARTS = kit
test-slow: RUN = $(TWO_AT_ONCE) tests -m 'slow and not long and not deploy' $(chosen)

test-images: ## the virtual board under other Pythons; ONLY=3.12
test-images: RUN = PYTHONPATH=tests python3 -m systems.images $(ONLY)

test-systems: ## `make test` in a fresh clone on bare Debian 12, 13 and sid; ONLY=trixie
test-systems: RUN = PYTHONPATH=tests python3 -m systems.systems $(ONLY)

test-hub: ## a class of twenty on a real JupyterHub; needs root on Linux
test-hub: PARTS = hub
test-hub: RUN = sh tests/hub/machine.sh .hub/bin/python -m pytest -c tests/hub/pytest.ini tests/hub

test-container: ## the image that make image builds, with podman; needs root and Debian
test-container: PARTS = kit
test-container: RUN = PYTHONPATH=tests $(BIN)python3 -m container $(chosen)

test-browser: ## every notebook in a browser; SHOTS=folder keeps screenshots, ONLY=2_iop
test-browser: PARTS = kit browser
test-browser: RUN = SHOTS='$(SHOTS)' .browser/bin/python -m pytest -c tests/browser/pytest.ini \
	tests/browser $(chosen)

test-deploy: ## the installer when it is killed, over SSH, in a classroom; the Python package
test-deploy: PARTS = kit deploy
test-deploy: RUN = $(PYTEST) tests -m deploy --timeout=1200 -v $(chosen)

test-board: ## the stand-in for a board, with each image's pynq, and with ARM's Python; ONLY=3.0.1
test-board: PARTS = kit board
test-board: RUN = $(PYTEST) -c tests/board/pytest.ini tests/board -n 4 --dist worksteal $(chosen)

test-arm: ## what make board boots: installer, notebooks, power cuts; needs Debian
test-arm: PARTS = kit deploy arm
# Each of two has a board. The files begin in their order, and the first takes longest.
test-arm: RUN = $(PYTEST) -c tests/arm/pytest.ini tests/arm -n 2 --dist loadfile \
	--no-loadscope-reorder $(chosen)

test-long: ## what takes too long for CI: ten thousand requests, interrupts at each line
test-long: PARTS = kit
test-long: RUN = $(PYTEST) tests -m long --timeout=1200 -s

# ANSWERS=no leaves the exercises' solutions out. A later installation without it brings them.
ANSWERS ?= yes
# EXECUTE=yes has make report run the notebooks, in the image that make image builds.
EXECUTE ?= no
yes_or_no = $(if $(filter yes no,$($1)),$(filter $($1),$2),$(error $1 is $($1): give yes or no))
NO_ANSWERS = $(if $(call yes_or_no,ANSWERS,no),--no-answers)

quoted = '$(subst ','\'',$(1))'
INSTALL = $(if $(DESTDIR),--destdir $(call quoted,$(DESTDIR))) \
	$(if $(BASE_OVERLAY),--base-overlay $(call quoted,$(BASE_OVERLAY))) $(NO_ANSWERS)

INSTALLER = $(if $(HOST),sh deploy/over_ssh.sh $(call quoted,$(HOST)),python3 -m deploy.install)

install: ## on a board with sudo, from a PC with HOST=192.168.2.99; ANSWERS=no without solutions
	@$(INSTALLER) $(INSTALL)

uninstall: ## removes what was installed and nobody changed; on a board with sudo, or HOST=...
	@$(INSTALLER) --uninstall $(INSTALL)

# More of ansible-playbook's options, as in make classroom ANSIBLE="-e uninstall=true"
ANSIBLE =
BOARDS = boards.yml

# The first steps of a command for all boards of an inventory
define on_all_boards
	$(PC_ONLY)
	@[ -e $(call quoted,$(BOARDS)) ] || { echo $(call quoted,$(BOARDS))" is not there, and should" \
		"list your boards: copy deploy/boards.example.yml to it, and list them in it." >&2; exit 1; }
	$(SETUP) deploy
endef
PLAYBOOK = LC_ALL=C.UTF-8 ANSIBLE_CONFIG=deploy/ansible.cfg .deploy/bin/ansible-playbook \
	-i $(call quoted,$(BOARDS))

classroom: ## installs on all boards of an inventory, BOARDS=boards.yml; ANSWERS=no as above
	$(on_all_boards)
	@sh deploy/pack.sh $(NO_ANSWERS) > .deploy/kit.tar.gz
	@$(PLAYBOOK) deploy/classroom.yml -e answers=$(ANSWERS) $(ANSIBLE)

DIR = collected

collect: ## brings the boards' changed notebooks into collected/BOARD/; BOARDS=... DIR=...
	$(on_all_boards)
	@python3 -B -m deploy.collect run $(call quoted,$(DIR)) \
		env $(PLAYBOOK) deploy/collect.yml $(ANSIBLE)

report: ## who has solved which exercise, from collected/; DIR=...; EXECUTE=yes runs them again
	@python3 -B -m deploy.report $(call quoted,$(DIR)) \
		$(if $(call yes_or_no,EXECUTE,yes),--execute)

sheets: ## what a teacher prints and projects, into sheets/: questions, a lab card, slides
	$(PC_ONLY)
	$(SETUP)
	@$(BIN)python3 -B -m teaching.sheets sheets

# More of the build's options, as in make image BUILD='--build-arg BASE=debian:13-slim'
BUILD =

image: ## a container image, pynq-tutorial, for a class without boards: podman, buildah, Docker
	$(PC_ONLY)
	@engine=$$(command -v podman || command -v buildah || command -v docker) || { \
		echo "make image needs podman, buildah or Docker, and none is here: sudo apt-get install" \
		"podman, or Docker Desktop on Windows and macOS." >&2; exit 1; }; \
		BUILDAH_FORMAT=docker "$$engine" build --tag pynq-tutorial $(BUILD) .

doctor: ## checks what the kit needs on this machine, and prints remedies
	@python3 -m deploy.doctor $(if $(DESTDIR),$(call quoted,$(DESTDIR)))

# The folders that an installation needs. A board needs neither the links in notebooks/ that lead to
# the others, nor a container or a class's server.
EDITION_FOLDERS := notebooks iop mb_src bitstream deploy ':!deploy/container' ':!deploy/hub'

compiler: ## builds the compiler for notebooks 4, 7, 8 and 9 into the user's cache folder, once
	@python3 mb_src/compiler.py

firmware: ## builds iop/pynq_tutorial.bin from mb_src/
	@$(MAKE) -C mb_src --no-print-directory

edition: ## writes deploy/edition.txt, the files in git that boards get; they get no others
	@files=$$(git -c core.quotePath=off ls-files -s $(EDITION_FOLDERS)) && [ -n "$$files" ] && \
		printf '%s\n' "$$files" | grep -v '^120000 ' | cut -f 2 | LC_ALL=C sort > deploy/edition.new
	@mv deploy/edition.new deploy/edition.txt

firmware-check: ## is iop/pynq_tutorial.bin what mb_src/ makes?
	@$(MAKE) -C mb_src --no-print-directory check

bench: ## measures how fast everything is; QUICK=1 only tests the bench itself
	$(SETUP)
	@$(BIN)python3 -m bench $(if $(QUICK),--quick)

# Each .in file has the reasons. Versions stay as they are if they can; remove a .txt file first to
# get the newest of everything.
LOCK = $$(command -v .uv/uv || command -v uv) --no-config pip compile --quiet --universal \
	--python-version 3.10 --fork-strategy fewest --generate-hashes --no-annotate \
	--custom-compile-command 'make requirements'

requirements: ## pins every version and hash: from requirements/*.in the .txt files
	$(PC_ONLY)
	$(SETUP)
	@$(LOCK) --annotate --override requirements/kit.in -o requirements.txt requirements/kit.in
	@for part in deploy browser lint; do \
		$(LOCK) -o requirements/$$part.txt requirements/$$part.in || exit; done
	@sed -n '/^pydantic/d; s/^\([a-z0-9].*\) \\$$/\1/p' requirements.txt | \
		$(LOCK) --override requirements/hub.in --constraint - -o requirements/hub.txt requirements/hub.in
	@uv=$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/uv.txt) && \
		echo "$$uv" | $(LOCK) -o requirements/uv.txt -

# By name: other files in these folders, and folders of these names elsewhere, are a student's. So
# are Jupyter's checkpoints, the only copy of a notebook as it was before it was saved.
MADE := .venv .uv .browser .deploy .container .hub .lint .images .hypothesis .pytest_tmp \
	build/lib/pynq_tutorial build/bdist.* pynq_tutorial.egg-info
SHEETS := $(patsubst notebooks/%.ipynb,%,$(wildcard notebooks/[1-9]_*.ipynb)) lab_card slides \
	exit_questions teacher/exit_answers teacher/slides_notes
MADE_FILES := bench/bench.json $(SHEETS:%=sheets/%.html) \
	mb_src/build/pynq_tutorial.* mb_src/build/unoptimised.*
HAVE_PYTHON := . arm_board bench bitstream deploy deploy/action_plugins deploy/container \
	deploy/package iop mb_src \
	notebooks/checks teaching virtual_board tests \
	$(sort $(dir $(wildcard virtual_board/*/*.py tests/*/*.py)))

clean: ## removes the files that the kit made here; the compiler in the user's cache folder stays
	rm -rf $(MADE)
	@rm -f $(MADE_FILES) $(HAVE_PYTHON:=/__pycache__/*.pyc)
	@for notebook in notebooks/[0-9]_*.ipynb; do rm -f "executed/$${notebook#notebooks/}"; done
	@rmdir build/lib build executed sheets/teacher sheets mb_src/build $(HAVE_PYTHON:=/__pycache__) \
		2>/dev/null || true
