"""(see below)"""


def write_report(*_):
    pass
