"""A port that can't be had is told with what to do."""

import pytest
from support.ports import free_port, taken_port

from mmfastervit.app.ports import check_port


def test_a_free_port_is_fine():
    check_port(free_port())


def test_a_taken_port_is_told():
    with taken_port() as port, pytest.raises(OSError, match=f"port {port} .*another --port"):
        check_port(port)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_there_are_ports_from_1_to_65535(port):
    with pytest.raises(ValueError, match="from 1 to 65535"):
        check_port(port)
