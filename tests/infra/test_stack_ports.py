"""Taken ports are named together with who has them."""

import os
import socket

import pytest
from stack_parts import part, stack_in

from infra.stack.ports import check_free
from tasks.errors import ConfigError


def test_a_taken_port_is_an_error_that_names_part_port_and_process(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = part(stack_in(tmp_path), "database", port=port)
        with pytest.raises(ConfigError) as caught:
            check_free(one)
    for said in (str(port), "database", f"process {os.getpid()}", "--port"):
        assert said in str(caught.value)
    check_free(one)


def test_a_part_that_listens_nowhere_needs_no_port(tmp_path):
    check_free(part(stack_in(tmp_path), "worker"))
