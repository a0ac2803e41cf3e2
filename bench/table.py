"""The table as text: a line for each thing that a row is compared with. ASCII alone, for any
terminal."""

HEADER = ("", "median (middle half)", "compared with", "median (middle half)", "ratio")
WIDTHS = (40, -24, 39, -24, -7)  # characters; negative: to the right
SCALES = {
    "s": [(1, "s"), (1e-3, "ms"), (1e-6, "us"), (0, "ns")],
    "bytes": [(1e9, "GB"), (1e6, "MB"), (0, "B")],
    "instructions": [(0, "")],
    "cores": [(0, "%")],
}
FACTORS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "MB": 1e6, "GB": 1e9, "%": 0.01}


def figure(unit, part):
    """A median and its spread, like `12.3 us (12.1 - 12.9)`, in the unit's scale that suits the
    median. A constant has no spread."""
    suffix = next(suffix for least, suffix in SCALES[unit] if part["median"] >= least)
    factor = FACTORS.get(suffix, 1)
    median, low, high = (_number(part[name] / factor) for name in ("median", "low", "high"))
    text = f"{median} {suffix}".strip()
    return text if low == high else f"{text} ({low} - {high})"


def _number(value):
    """Three digits, two below 1, and no exponent; a whole number as it is."""
    value = round(value, 9)  # a division by the scale leaves 15.000000000000002
    if value == int(value):
        return str(int(value))
    if abs(value) < 1:
        return f"{value:.2g}"
    return "{:.{}f}".format(value, max(0, 3 - len(str(int(abs(value))))))


def lines(row):
    """The row's lines of text."""
    for word in ("skipped", "failed"):
        if word in row:
            return ["{}{}: {}".format(row["name"].ljust(WIDTHS[0] + 1), word, row[word])]
    result = []
    cells = [row["name"], figure(row["unit"], row)]
    for other in row["compared_with"]:
        if "skipped" in other:
            cells += [other["name"], "skipped: " + other["skipped"], ""]
        else:
            cells += [other["name"], figure(row["unit"], other), _number(other["ratio"])]
        result.append(line(cells))
        cells = ["", ""]
    return result or [line(cells)]


def line(cells):
    """Cells side by side, each in its column."""
    return " ".join(
        cell.ljust(width) if width > 0 else cell.rjust(-width) for cell, width in zip(cells, WIDTHS)
    ).rstrip()
