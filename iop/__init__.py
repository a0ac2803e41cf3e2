"""The modules that notebooks import: Pynq_Tutorial runs a program on an I/O processor, and Xlnk
allocates memory."""
