# As the stock image's: every network, all notebooks of user xilinx, the password xilinx.
c = get_config()
c.NotebookApp.ip = "0.0.0.0"
c.NotebookApp.port = 9090
c.NotebookApp.open_browser = False
c.NotebookApp.allow_root = True
c.NotebookApp.notebook_dir = "/home/xilinx/jupyter_notebooks"
c.NotebookApp.password = "sha1:000000000000:d763c32a10bb97bddf1131349497e48dc41ded9a"
c.NotebookApp.iopub_data_rate_limit = 100000000
