"""What a notebook imports: Pynq_Tutorial, which runs a program on an I/O processor, and Xlnk, which allocates memory."""
