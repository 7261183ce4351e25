"""A sample that can't be loaded ends a run in one message, which names its file."""

from typing import Any

from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

_NAME = "SampleFailed: "


class SampleFailed(RuntimeError):
    """A sample could not be loaded; the message names it.

    What a worker of a data loader raises comes back as the text of its traceback; of that, the
    message alone is kept.
    """

    def __init__(self, text: str):
        super().__init__(text.rpartition(_NAME)[2].strip())


class PassingDataset(Dataset):
    """A data set over another, which it passes all attributes on to."""

    inner: Any

    def __init__(self, inner: Dataset):
        self.__dict__["inner"] = inner

    def __getitem__(self, index: int) -> Any:
        return self.inner[index]

    def __len__(self) -> int:
        return len(self.inner)

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "__getitems__"):  # not there while unpickled; would pass by this one
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


class NamingDataset(PassingDataset):
    """A data set that says which sample could not be loaded."""

    def __getitem__(self, index: int) -> Any:
        try:
            return self.inner[index]
        except SampleFailed:
            raise
        except Exception as error:  # decoders and transforms raise anything
            raise SampleFailed(_told(self.inner, int(index), error)) from error


def _told(dataset: Any, index: int, error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["without a message"]
    return (
        f"sample {index} of the data{_file_of(dataset, index)} can't be loaded: "
        f"{type(error).__name__}: {lines[-1]}. Mend or remove it; `mmfastervit check CONFIG --all` "
        "opens every file"
    )


def _file_of(dataset: Any, index: int) -> str:
    """The files of a sample, in brackets; '' where the data set does not say."""
    try:
        info = dataset.get_data_info(index)
        paths = [info[key] for key in ("img_path", "seg_map_path") if info.get(key)]
    except Exception:  # a data set of another kind; the sample's number has to do
        return ""
    return f" ({', '.join(map(str, paths))})" if paths else ""


def name_failing_samples(runner: Runner) -> None:
    """Let all data loaders that a runner builds say which sample could not be loaded.

    A run then ends with :class:`SampleFailed`, whether a worker or the process itself loads it.
    """
    build = runner.build_dataloader

    def build_naming(*args: Any, **kwargs: Any) -> DataLoader:
        loader = build(*args, **kwargs)
        dataset = NamingDataset(loader.dataset)
        object.__setattr__(loader, "dataset", dataset)  # torch has no other way
        return loader

    runner.build_dataloader = build_naming
