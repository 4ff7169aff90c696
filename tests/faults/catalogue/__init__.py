"""Which test shows each fault of the catalogue, and why is there none where there is none?

One file a section. ``WHERE`` maps a fault to the tests that show it, ``NOT_HERE`` to the reason why one machine cannot show
it, or why there is nothing to show yet. Every id of ``FAULTS`` is in one of the two: else nothing is collected.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.catalogue import section_a, section_b, section_c, section_d, section_e, section_f, section_g

SECTIONS = (section_a, section_b, section_c, section_d, section_e, section_f, section_g)

_SIZES = {"A": 24, "B": 16, "C": 17, "D": 15, "E": 30, "F": 15, "G": 8}

FAULTS = tuple(f"{letter}{number}" for letter, size in _SIZES.items() for number in range(1, size + 1))
"""A life cycle and kill · B odd exits · C hangs · D resources · E protocol · F poison and policy · G time and host."""

WHERE: Mapping[str, tuple[str, ...]] = {
    fault: tests for section in SECTIONS for fault, tests in section.WHERE.items()
}
"""``tests/faults/test_x.py::test_name``, or ``file.py::Class.test_name``; parameters are left out."""

NOT_HERE: Mapping[str, str] = {
    fault: reason for section in SECTIONS for fault, reason in section.NOT_HERE.items()
}
