"""What tests/board/programs/freed.py prints of requests, before and after a buffer was freed."""

SERVED = "served served served TypeError"
REFUSED = "ValueError ValueError ValueError TypeError"
