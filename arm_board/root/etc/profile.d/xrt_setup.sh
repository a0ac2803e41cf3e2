# shellcheck shell=sh
export XILINX_XRT=/usr
