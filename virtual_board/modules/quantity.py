"""What a module measures, as an attribute with a range."""


class Quantity:
    """A number that a student sets, as `module.celsius = 21.5`. ValueError if the module cannot
    measure it.

    Args:
        low, high: The least and the most.
        unit: As a message names it: "°C"."""

    def __init__(self, low, high, unit):
        self._low, self._high, self._unit = low, high, unit

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, module, owner=None):
        return self if module is None else module.__dict__[self._name]

    def __set__(self, module, value):
        try:
            fits = not isinstance(value, str) and bool(self._low <= value <= self._high)
        except (TypeError, ValueError):  # ValueError: of an array
            fits = False
        if not fits:
            raise ValueError(
                f"{self._name} is {value!r}: {type(module).__name__} measures {self._low} to"
                f" {self._high} {self._unit}."
            )
        module.__dict__[self._name] = value
        module.changed()


def solve(function, value, low, high):
    """The whole number from low to high at which a function, which rises or falls, comes closest to
    a value: it turns a sensor's compensation formula round."""
    rises = function(high) > function(low)
    first, last = low, high
    while last - first > 1:
        middle = (first + last) // 2
        if (function(middle) < value) == rises:
            first = middle
        else:
            last = middle
    return min(first, last, key=lambda number: abs(function(number) - value))
