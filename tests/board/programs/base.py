"""Is the image's own base overlay what it is on a board that never saw the tutorial?"""

from pynq import Overlay

base = Overlay("base.bit")
found = sorted(base.hierarchy_dict)
assert {"iop_arduino", "iop_pmoda", "iop_pmodb"} <= set(found) and "iop1" not in found, found
assert base.iop_pmoda.mb_info["ip_name"] == "iop_pmoda/mb_bram_ctrl", base.iop_pmoda.mb_info
assert base.bitfile_name.endswith("/overlays/base/base.bit"), base.bitfile_name
