# shellcheck shell=sh
export BOARD=Pynq-Z1
