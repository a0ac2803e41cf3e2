"""How fast the kit is: each figure beside another one that was measured in the same run. `make
bench` prints the table."""
