"""What the command line answers."""

import pytest

from mmfastervit.commands import main


def status_of(capsys, *arguments) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``mmfastervit ARGUMENTS``."""
    with pytest.raises(SystemExit) as ended:
        main(argv=arguments)
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err
