# Read by every IPython kernel of .venv: a notebook finds a board, the virtual one where there is no real one.
c = get_config()  # noqa: F821 (IPython provides it)
c.IPKernelApp.exec_lines = ["import virtual_board; virtual_board.activate(); del virtual_board"]
