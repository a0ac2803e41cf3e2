"""Another notebook loads a program by hand, as notebook 3 does, and takes no lock for it. pynq
clears memory word by word, for milliseconds on a board: each test stops in the middle of that."""

import pytest
from pynq import PL

from helpers.waiting import soon
from iop.pynq_tutorial import ARRAY_LENGTH, BUFFER_ADDR, INIT_DATA, STATUS, STATUS_READY


class Meanwhile:
    """An IOP's memory. After a write to one word of it, something else happens."""

    def __init__(self, memory, word, happens):
        self._memory, self._word, self._happens = memory, word, happens

    def __setitem__(self, word, value):
        self._memory[word] = value
        if word == self._word:
            self._happens()


@pytest.mark.parametrize("written", [ARRAY_LENGTH, INIT_DATA, BUFFER_ADDR])
def test_a_request_that_was_cleared_has_no_answer(iop, buffer, monkeypatch, written):
    memory, first, last = iop._memory, -(-len(iop._program) // 4), STATUS // 4

    def clear():
        memory[first : last + 1] = 0

    monkeypatch.setattr(iop, "_memory", Meanwhile(memory, written // 4, clear))
    with pytest.raises(RuntimeError, match="The IOP runs another program now"):
        iop.write_to_buffer(buffer, 10, 1)


@pytest.mark.parametrize("then", ["it is held again", "it runs on"])
def test_what_it_lets_run_meanwhile_is_not_taken_for_the_start(
    iop, buffer, by_hand, monkeypatch, then
):
    """pynq's GPIO ends the reset when it sets the pin's direction: with each PynqMicroblaze."""
    load = PL.load_ip_data

    def load_and_run(*program, **zero):
        load(*program, **zero)
        by_hand.reset_pin.write(0)
        assert soon(lambda: iop.read_mailbox(3) == STATUS_READY)
        if then == "it is held again":
            by_hand.reset_pin.write(1)

    monkeypatch.setattr(PL, "load_ip_data", load_and_run)
    for data in range(5):
        iop.reset()
        iop.write_to_buffer(buffer, 10, data)
        assert buffer[:10].tolist() == list(range(data, data + 10))
