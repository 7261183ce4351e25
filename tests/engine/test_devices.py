"""Several processes on CPUs."""

import pytest
import torch.distributed
from support.small_config import small_config

from mmfastervit.engine import devices
from mmfastervit.engine.devices import join_cpu_processes


class TestCpuProcesses:
    def test_a_single_process_is_left_alone(self, monkeypatch):
        monkeypatch.setattr(devices, "has_accelerator", lambda: False)
        cfg = small_config()
        join_cpu_processes(cfg)
        assert not torch.distributed.is_initialized()
        assert "model_wrapper_cfg" not in cfg

    def test_nccl_without_gpu_says_what_to_do(self, monkeypatch):
        monkeypatch.setattr(devices, "has_accelerator", lambda: False)
        with pytest.raises(ValueError, match=r"env_cfg\.dist_cfg\.backend=gloo"):
            join_cpu_processes(small_config(launcher="pytorch"))

    def test_synchronised_norms_without_gpu_say_where_and_what_to_do(self, monkeypatch):
        monkeypatch.setattr(devices, "has_accelerator", lambda: False)
        model = dict(
            type="X",
            backbone=dict(norm_cfg=dict(type="SyncBN")),
            heads=[dict(norm_cfg=dict(type="BN")), dict(norm_cfg=dict(type="MMSyncBN"))],
        )
        cfg = small_config(launcher="pytorch", env_cfg=dict(dist_cfg=dict(backend="gloo")))
        cfg.model = model
        with pytest.raises(ValueError, match="need GPUs") as error:
            join_cpu_processes(cfg)
        assert str(error.value).endswith(
            "--cfg-options model.backbone.norm_cfg.type=BN model.heads.1.norm_cfg.type=BN"
        )
        assert not torch.distributed.is_initialized()

    def test_all_norms_synchronised_at_once_are_told_too(self, monkeypatch):
        monkeypatch.setattr(devices, "has_accelerator", lambda: False)
        dist_cfg = dict(backend="gloo")
        cfg = small_config(launcher="pytorch", env_cfg=dict(dist_cfg=dist_cfg), sync_bn="torch")
        with pytest.raises(ValueError, match="--cfg-options sync_bn=None"):
            join_cpu_processes(cfg)

    def test_a_single_process_of_a_group_synchronises_no_norm_on_a_cpu_either(self):
        """Why one process that was started by torchrun is refused, too."""
        torch.distributed.init_process_group(
            "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
        )
        try:
            with pytest.raises(ValueError, match="GPU"):
                torch.nn.SyncBatchNorm(2)(torch.randn(2, 2, 4, 4))
        finally:
            torch.distributed.destroy_process_group()

    def test_gloo_joins_and_wraps_the_model_without_a_gpu_number(self, monkeypatch):
        monkeypatch.setattr(devices, "has_accelerator", lambda: False)
        calls = []
        monkeypatch.setattr(
            torch.distributed, "init_process_group", lambda **given: calls.append(given)
        )
        dist_cfg = dict(backend="gloo", timeout=60)
        cfg = small_config(launcher="pytorch", env_cfg=dict(dist_cfg=dist_cfg))
        join_cpu_processes(cfg)
        assert calls[0]["backend"] == "gloo"
        assert calls[0]["timeout"].total_seconds() == 60
        assert cfg.model_wrapper_cfg.device_ids is None
