# The kit's commands; `make help` lists them. Each does its own set-up first (setup.sh) and works from a fresh clone.

# A board has a way to load its FPGA, and Python with pynq in its image; a PC has neither, and uses .venv/.
BOARD_HERE := $(wildcard /sys/class/fpga_manager/fpga0/firmware)
ifdef BOARD_HERE
VENV   := $(wildcard /usr/local/share/pynq-venv)
BIN    := $(if $(VENV),$(VENV)/bin/)
export XILINX_XRT ?= /usr
SETUP  :=
else
BIN    := .venv/bin/
SETUP  := @PYTHON='$(PYTHON)' sh setup.sh
endif

# More of JupyterLab's options, as in make lab LAB=--no-browser
LAB ?=

.DEFAULT_GOAL := help
.PHONY: help lab run test test-long test-images doctor compiler firmware firmware-check bench clean

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
	@$(BIN)python3 run.py notebooks/2_iop_example.ipynb

test: ## all tests, the notebooks among them
	$(SETUP)
	@$(BIN)python3 -m pytest tests notebooks

test-long: ## ten thousand random requests, and a class of twenty on this machine
	$(SETUP)
	@$(BIN)python3 -m pytest tests -m long -s

test-images: ## the lesson and the unit tests under the pynq and the Python of each stock image
	@python3 tests/images.py

doctor: ## what this machine lacks, and the remedy
	@python3 doctor.py

compiler: ## builds the compiler for notebook 4 into the user's cache folder, once
	@python3 mb_src/compiler.py

firmware: ## builds iop/pynq_tutorial.bin from mb_src/
	@$(MAKE) -C mb_src --no-print-directory

firmware-check: ## is iop/pynq_tutorial.bin what mb_src/ makes?
	@$(MAKE) -C mb_src --no-print-directory check

bench: ## how fast it all is, beside what it can be compared with; QUICK=1 only tries out the bench itself
	$(SETUP)
	@$(BIN)python3 -m bench $(if $(QUICK),--quick)

clean: ## removes what was built here; the compiler in the user's cache folder stays
	rm -rf .venv mb_src/build .images .hypothesis .pytest_tmp bench/bench.json
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
