"""The look at the data that training and testing begin with."""

from argparse import Namespace

from mmengine.config import Config

from mmfastervit.engine.preflight import check_data


def show_data(arguments: Namespace, cfg: Config, mode: str, seed: int = 0) -> None:
    """Look at the data of a run, unless ``--no-check`` is given, and print what they hold.

    Args:
        arguments: Those of the command line.
        cfg: The config as the Runner will get it.
        mode: ``"train"`` or ``"test"``.
        seed: Chooses the pictures that are opened.

    Raises:
        FaultyData: The data have faults that spoil or end the run.
    """
    text = "" if arguments.no_check else check_data(cfg, mode, seed)
    if text:
        print(text, flush=True)
