"""A sample that can't be loaded ends in one line that names it, with and without workers."""

import pickle
from types import SimpleNamespace
from typing import ClassVar

import pytest
from torch.utils.data import DataLoader, Dataset

from mmfastervit.engine.samples import NamingDataset, SampleFailed, name_failing_samples


class Pictures(Dataset):
    """Four samples, of which the third fails."""

    metainfo: ClassVar = dict(classes=("a",))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        if index == 2:
            raise OSError("first line\nno picture")
        return index

    def get_data_info(self, index: int) -> dict:
        return dict(img_path=f"pictures/{index}.jpg")


def naming_runner(**loader) -> SimpleNamespace:
    runner = SimpleNamespace(build_dataloader=lambda cfg: DataLoader(Pictures(), **loader))
    name_failing_samples(runner)
    return runner


@pytest.mark.parametrize("workers", [0, 1])
def test_the_file_is_named(workers):
    loader = naming_runner(num_workers=workers).build_dataloader({})
    with pytest.raises(SampleFailed) as caught:
        list(loader)
    told = str(caught.value)
    assert told.startswith("sample 2 of the data (pictures/2.jpg) can't be loaded: OSError: ")
    assert "no picture. Mend or remove it" in told
    assert "Traceback" not in told
    assert "\n" not in told


def test_samples_that_load_are_as_before():
    loader = naming_runner().build_dataloader({})
    assert loader.dataset.metainfo == Pictures.metainfo
    assert len(loader) == 4
    assert loader.dataset[1] == 1


def test_a_data_set_that_knows_no_files_is_named_by_number():
    dataset = NamingDataset([1])
    with pytest.raises(SampleFailed, match="sample 7 of the data can't be loaded: IndexError"):
        dataset[7]


def test_attributes_reach_the_data_set_that_is_held():
    inner = Pictures()
    held = pickle.loads(pickle.dumps(NamingDataset(inner)))
    assert held.metainfo == inner.metainfo
    NamingDataset(inner).extra = 3
    assert inner.extra == 3
