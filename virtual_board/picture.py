"""The picture of the board, with its LEDs, buttons and switches and what is plugged in: as text, as
HTML that fits light and dark pages, and live, to press and to switch."""

import threading
import time
from html import escape

LOOKS = 0.1  # seconds from one look to the next
PRESSED = 0.5  # seconds for which a click presses a button
# of LEDs, by the sum of blue 1, green 2 and red 4; readable on white and on black
COLORS = "gray", "#3f7fff", "#2fa84f", "#20a8b8", "#e03838", "#c850d0", "#c99a10", "#a8a8a8"
GREEN = 2
INPUTS = "SW1", "SW0", "BTN3", "BTN2", "BTN1", "BTN0"  # in the order in which they lie on the board
BOX = "border: 1px solid gray; border-radius: 0.5em; padding: 0.4em 0.8em; margin: 0.2em"


def text(board):
    """A line for each row of parts and each connector."""
    rows = {name: repr(getattr(board, name)) for name in ("leds", "rgbleds", "buttons", "switches")}
    for connector in board.connectors():
        rows[connector.name] = "; ".join(_inside(connector, repr))
    return "\n".join(f"{name:10}{what}" for name, what in rows.items())


def drawing(board, inputs=True):
    """The same as HTML. inputs: whether with buttons and switches"""
    boxes = ""
    for connector in board.connectors():
        inside = "".join(f"<div>{what}</div>" for what in _inside(connector, _html))
        boxes += f'<div style="{BOX}; overflow-x: auto"><b>{connector.name}</b>{inside}</div>'
    lamps = [_lamp(f"LD{n}", board.rgbleds[n - 4].color) for n in (5, 4)]
    lamps += [_lamp(f"LD{n}", GREEN * board.leds[n].is_on) for n in (3, 2, 1, 0)]
    rows = [lamps]
    if inputs:
        rows.append([_cell(name, "on" if part.level else "off") for name, part in _inputs(board)])
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div role="img" aria-label="{escape(text(board))}" style="{BOX}; width: fit-content">'
        f'<div style="display: flex; flex-wrap: wrap">{boxes}</div><table>{rows}</table></div>'
    )


def live(board):
    """An ipywidgets.Widget of the board as it is at each moment, with its buttons to press and its
    switches to move. A thread keeps it up to date until the board or the widget is closed."""
    from ipywidgets import HTML, Button, HBox, Layout, ToggleButton, VBox

    picture, keys = HTML(), {}
    for name, part in _inputs(board):
        kind = ToggleButton if name.startswith("SW") else Button
        keys[part] = kind(description=name, layout=Layout(width="5em"))
    widget = VBox([picture, HBox(list(keys.values()))])
    shown = dict.fromkeys(keys)  # the level of each that its key shows

    def bind(key, part):
        if isinstance(key, ToggleButton):
            key.observe(lambda change: part.on() if change.new else part.off(), "value")
        else:
            key.on_click(lambda key: part.press(PRESSED))

    def look():
        picture.value = drawing(board, inputs=False)
        for part, key in keys.items():
            if part.level == shown[part]:
                continue  # the key may be ahead, because a click has just changed it
            shown[part] = part.level
            if isinstance(key, ToggleButton):
                key.value = bool(part.level)
            else:
                key.button_style = "success" if part.level else ""

    def follow():
        while board.is_open() and widget.comm is not None:
            look()
            time.sleep(LOOKS)

    look()
    for part, key in keys.items():
        bind(key, part)
    threading.Thread(target=follow, name="picture of the board", daemon=True).start()
    return widget


def _inputs(board):
    parts = board.switches[::-1] + board.buttons[::-1]
    return list(zip(INPUTS, parts))


def _inside(connector, show):
    """What is in a connector, as a list: its modules, shown by a function, and voltages."""
    inside = []
    for module in connector.plugged():
        try:
            inside.append(show(module))
        except Exception as error:  # in a student's class
            inside.append(f"{type(module).__name__} ({type(error).__name__} when it was shown)")
    volts = connector.wiring.analog().items()
    inside += [f"{pin}: {value:.2f} V" for pin, value in volts if value]
    return inside or ["nothing is plugged in"]


def _html(module):
    drawn = getattr(module, "_repr_html_", None)
    return drawn() if drawn else escape(repr(module))


def _lamp(name, color):
    lamp = "&#9679;" if color else "&#9675;"
    return _cell(name, f'<span style="color: {COLORS[color]}; font-size: 1.6em">{lamp}</span>')


def _cell(name, what):
    return f'<td style="text-align: center; padding: 0.3em 0.8em">{what}<br>{name}</td>'
