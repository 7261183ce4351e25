"""HAT in every kind of host: nothing of the host changes, and all of it comes out again."""

import copy
import io

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from support.tiny_hosts import HOSTS, SWIN_HOSTS, build_host
from torch import nn

from mmfastervit import HATPlugin, insert_hat, register_host, remove_hat
from mmfastervit.models.plugins import Host, Stage
from mmfastervit.models.plugins.insertion import hat_modules

every_host = pytest.mark.parametrize("name", HOSTS)
every_swin = pytest.mark.parametrize("name", SWIN_HOSTS)
MODES = [(name, "append") for name in HOSTS] + [(name, "replace") for name in SWIN_HOSTS]
both_modes = pytest.mark.parametrize(("name", "mode"), MODES)
SIZES = [(64, 64), (68, 92), (140, 60)]  # timm's Swin takes multiples of 4 only
ODD_SIZE = (71, 93)


def evaluate(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    model.eval()
    with torch.no_grad():
        return list(model(x))


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def open_gates(model: nn.Module) -> None:
    """Let HAT have an effect, as training does."""
    for module in model.modules():
        if isinstance(module, HATPlugin):
            nn.init.ones_(module.gate)


def state_of(model: nn.Module) -> dict[str, tuple]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, size) for name in HOSTS for size in SIZES),
        *((name, ODD_SIZE) for name in HOSTS if "timm-swin" not in name),
    ],
    ids=str,
)
def test_outputs_do_not_change_at_insertion(name, size):
    host = build_host(name)
    x = torch.randn(1, 3, *size)
    before = evaluate(host, x)
    insert_hat(host, stages=(1, 2, 3))
    assert same(before, evaluate(host, x))
    open_gates(host)
    after = evaluate(host, x)
    assert torch.equal(before[0], after[0])
    assert not any(torch.equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


@every_host
def test_initialising_the_host_keeps_the_identity(name):
    """Whatever the framework does to all linear and convolutional layers."""
    host = build_host(name)
    insert_hat(host)
    if hasattr(host, "init_weights"):
        host.init_weights()
    x = torch.randn(1, 3, 64, 96)
    with_hat = evaluate(host, x)
    remove_hat(host)
    assert same(with_hat, evaluate(host, x))


@both_modes
def test_the_host_stays_what_it_is(name, mode):
    host = build_host(name)
    cls, keys, attributes = type(host), state_of(host), set(vars(host))
    checkpoint = copy.deepcopy(host.state_dict())
    names = insert_hat(host, mode=mode)
    assert type(host) is cls
    assert set(vars(host)) == attributes
    with_hat = state_of(host)
    assert keys.items() <= with_hat.items()
    added = with_hat.keys() - keys.keys()
    assert all(any(key.startswith(f"{n}.") for n in names) for key in added)
    assert all(any(key.startswith(f"{n}.") for key in added) for n in names)
    report = host.load_state_dict(checkpoint, strict=False)
    assert not report.unexpected_keys
    assert set(report.missing_keys) == added


@both_modes
def test_it_comes_out_clean_after_training(name, mode):
    host = build_host(name)
    x = torch.randn(2, 3, 64, 96)
    keys, before = state_of(host), evaluate(host, x)
    weights = {key: value.clone() for key, value in host.state_dict().items()}
    inserted = insert_hat(host, mode=mode)
    open_gates(host)
    host.train()
    sum(y.square().mean() for y in host(x)).backward()
    torch.optim.SGD(host.parameters(), lr=0.1).step()
    host.load_state_dict(weights, strict=False)
    assert remove_hat(host) == inserted
    assert list(state_of(host)) == list(keys)
    assert not hat_modules(host)
    assert same(before, evaluate(host, x))


@both_modes
def test_every_weight_of_it_learns_by_the_second_step(name, mode):
    host = build_host(name)
    insert_hat(host, mode=mode)
    learned = [(f"{path}.{n}", p) for path, m in hat_modules(host) for n, p in m.named_parameters()]
    optimizer = torch.optim.AdamW(host.parameters(), lr=1e-3)
    host.train()
    for _ in range(2):
        optimizer.zero_grad()
        maps = host(torch.randn(2, 3, 236, 252))
        sum((y - y.detach().roll(1)).square().mean() for y in maps).backward()
        unused = [n for n, p in host.named_parameters() if p.grad is None]
        assert not unused  # DistributedDataParallel would wait for them
        optimizer.step()
    dead = [name for name, p in learned if not p.grad.any()]
    assert not dead


@pytest.mark.parametrize(
    ("name", "mode"),
    [case for case in MODES if not case[0].startswith("mmseg-timm")],  # which has no with_cp
)
def test_recomputing_changes_no_gradient(name, mode):
    plain = build_host(name)
    insert_hat(plain, mode=mode)
    open_gates(plain)
    saving = copy.deepcopy(plain)
    remove_hat(saving)
    if name.startswith("timm"):
        for module in saving.modules():
            if hasattr(module, "grad_checkpointing") and hasattr(module, "blocks"):
                module.grad_checkpointing = True
    else:
        saving = build_host(name, with_cp=True)
    insert_hat(saving, mode=mode)
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 96, requires_grad=True)
    for model in (plain, saving):
        model.train()
        sum(y.square().mean() for y in model(x)).backward()
    for (key, p), q in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert (p.grad - q.grad).abs().max() <= 1e-4 * p.grad.abs().max(), key


@both_modes
def test_runs_in_mixed_precision(name, mode):
    host = build_host(name)
    insert_hat(host, mode=mode)
    open_gates(host)
    x = torch.randn(1, 3, 64, 96)
    expected = evaluate(host, x)
    with torch.autocast("cpu", torch.bfloat16):
        actual = evaluate(host, x)
    for a, b in zip(actual, expected, strict=True):
        assert (a.float() - b).abs().max() < 0.1 * b.abs().max()


@both_modes
def test_survives_saving_and_copying(name, mode):
    host = build_host(name)
    insert_hat(host, mode=mode)
    open_gates(host)
    x = torch.randn(1, 3, 64, 96)
    expected = evaluate(host, x)
    file = io.BytesIO()
    torch.save(host, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    other = build_host(name)
    insert_hat(other, mode=mode)
    other.load_state_dict(host.state_dict())
    for model in (loaded, copy.deepcopy(host), other):
        assert same(expected, evaluate(model, x))
        remove_hat(model)  # whose weights are its own, not the first one's
        assert not hat_modules(model)
    assert same(expected, evaluate(host, x))


def unshift(host: nn.Module) -> None:
    for module in host.modules():
        if hasattr(module, "shift_size"):
            module.shift_size = (0, 0) if isinstance(module.shift_size, tuple) else 0


@every_swin
def test_replacing_keeps_the_weights_of_every_block(name):
    """With carriers out of sight it is the host without shifts, where no window is padded."""
    host = build_host(name)
    x = torch.randn(1, 3, 224, 448)
    shifted = evaluate(host, x)
    insert_hat(host, mode="replace")
    for _, module in hat_modules(host):
        if hasattr(module, "carrier_key_bias"):
            nn.init.constant_(module.carrier_key_bias, -1e4)
    alone = evaluate(host, x)
    remove_hat(host)
    unshift(host)
    for a, b in zip(alone, evaluate(host, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(alone[2], shifted[2], atol=1e-3)


def replaced_blocks(host: nn.Module) -> nn.Module:
    """The container of the blocks of a host's only stage with HAT."""
    path = next(path for path, _ in hat_modules(host) if path.endswith(".0.hat"))
    return host.get_submodule(path.removesuffix(".0.hat"))


def run(blocks, x: torch.Tensor, tokens: bool) -> torch.Tensor:
    """Call blocks one after the other, as their stage does."""
    y = x.flatten(1, 2) if tokens else x
    for block in blocks:
        y = block(y, x.shape[1:3]) if tokens else block(y)
    return y.view_as(x)


@every_swin
def test_replaced_windows_hear_each_other(name):
    host = build_host(name)
    insert_hat(host, stages=(2,), mode="replace")
    blocks = replaced_blocks(host)
    x = torch.randn(1, 14, 21, blocks[0].norm1.normalized_shape[0], requires_grad=True)
    run(blocks, x, tokens="timm" not in name)[0, -1, -1].sum().backward()
    assert (x.grad[0].abs().sum(-1) > 0).all()


@every_swin
@torch.no_grad()
def test_a_stage_with_hat_is_the_list_of_blocks_that_it_was(name):
    """Length, iteration, indices and slices agree, and calling what they give runs the stage."""
    host = build_host(name)
    host.eval()  # some return nothing
    modules = {module: path for path, module in host.named_modules()}
    insert_hat(host, stages=(2,), mode="replace")
    blocks = replaced_blocks(host)
    listed = list(blocks)
    assert len(blocks) == len(listed) == 2
    assert [blocks[0], blocks[-1]] == listed == list(blocks[:]) == list(blocks.children())
    assert list(blocks[1:]) == listed[1:]
    assert all(block in modules for block in listed)  # the host's own
    x = torch.randn(1, 14, 21, blocks[0].norm1.normalized_shape[0])
    tokens = "timm" not in name
    assert torch.equal(run(blocks, x, tokens), run(blocks[:], x, tokens))


def test_a_frozen_stage_freezes_its_hat_and_says_so(monkeypatch):
    lines = []
    monkeypatch.setattr(
        "mmfastervit.models.plugins.hosts.print_log", lambda line, **_: lines.append(line)
    )
    host = build_host("mmdet-resnet", frozen_stages=3)
    insert_hat(host)
    assert len(lines) == 1
    assert "layer3 is frozen" in lines[0]
    host.train()
    (frozen, trained) = (module for _, module in hat_modules(host))
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in trained.parameters())


def test_inner_backbones_are_found():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = build_host("mmdet-swin")

    model = nn.DataParallel(Detector())
    names = insert_hat(model, stages=(-1,))
    assert names == ["module.backbone.stages.3.blocks.2"]
    assert remove_hat(model) == names


@pytest.mark.parametrize(("name", "mode"), [case for case in MODES if "type" in HOSTS[case[0]]])
def test_config_builds_the_host_itself(name, mode):
    cfg = dict(type="mmfastervit.HATBackbone", backbone=HOSTS[name], stages=(3,), mode=mode)
    built = MODELS.build(cfg)
    assert type(built) is type(build_host(name))
    assert hat_modules(built)


@pytest.mark.parametrize("name", ["mmdet-swin", "mmpretrain-convnext", "mmdet-resnet"])
def test_pretrained_weights_of_the_host_load_by_init_cfg(name, tmp_path):
    pretrained = build_host(name)
    prefix = "backbone." if name == "mmdet-swin" else ""
    weights = {f"{prefix}{key}": value for key, value in pretrained.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "host.pth")
    # mmdet's Swin reads init_cfg by attribute, as mmengine's configs allow
    init_cfg = ConfigDict(type="Pretrained", checkpoint=str(tmp_path / "host.pth"))
    host = {**HOSTS[name], "init_cfg": init_cfg}
    built = MODELS.build(dict(type="mmfastervit.HATBackbone", backbone=host))
    built.init_weights()
    x = torch.randn(1, 3, 64, 96)
    assert same(evaluate(pretrained, x), evaluate(built, x))


def test_layer_decay_takes_the_new_names():
    """Each weight of HAT gets the learning rate of its stage, by the hosts' own rules."""
    from mmdet.engine.optimizers import LearningRateDecayOptimizerConstructor

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = build_host("mmpretrain-convnext")

    model = Detector()
    insert_hat(model)
    for decay in ("layer_wise", "stage_wise"):
        constructor = LearningRateDecayOptimizerConstructor(
            dict(optimizer=dict(type="AdamW", lr=1.0)),
            dict(decay_rate=0.5, decay_type=decay, num_layers=6),
        )
        optimizer = constructor(model).optimizer
        rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        for stage in model.backbone.stages[2:]:
            assert rates[id(stage[-1].gate)] == rates[id(stage[-2].gamma)]
    swin = build_host("mmpretrain-swin")
    insert_hat(swin)
    depth, layers = swin.get_layer_depth("stages.2.blocks.2.gate")
    assert swin.get_layer_depth("stages.2.blocks.1.norm1.weight")[0] < depth < layers


def test_other_hosts_can_be_registered():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            convs = (nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 16, 2, 2))
            self.body = nn.ModuleList(nn.Sequential(conv, nn.ReLU()) for conv in convs)

        def forward(self, x):
            outputs = []
            for stage in self.body:
                x = stage(x)
                outputs.append(x)
            return outputs

    def stages(net):
        return [
            Stage(f"body.{i}", blocks, blocks[0].out_channels, "NCHW")
            for i, blocks in enumerate(net.body)
        ]

    net = Net()
    with pytest.raises(ValueError, match=r"Net: it is none of Swin.*register_host"):
        insert_hat(net, (0, 1))
    register_host(Host("Net of this test", (Net,), stages))  # a class that no other test knows
    assert insert_hat(net, (0, 1)) == ["body.0.2", "body.1.2"]


def test_tables_of_all_stages_share_one_bound():
    """Of a host with HAT, and of its copy, whose cache is another."""
    host = build_host("mmdet-swin")
    insert_hat(host, stages=(1, 2, 3), mode="replace")
    caches = [
        {m.shelf.cache for m in h.modules() if hasattr(m, "shelf")}
        for h in (host, copy.deepcopy(host))
    ]
    assert [len(found) for found in caches] == [1, 1]
    assert not caches[0] & caches[1]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("mmdet-resnet", dict(mode="replace"), ValueError, "ResNet.*'append'"),
        ("mmpretrain-convnext", dict(mode="replace"), ValueError, "ConvNeXt.*'append'"),
        ("mmdet-swin", dict(mode="insert"), ValueError, "'append', 'replace'"),
        ("mmdet-swin", dict(stages=(4,)), ValueError, "to 3"),
        ("mmdet-swin", dict(stages=()), ValueError, "at least one"),
        ("mmdet-swin", dict(stages=(2, -2)), ValueError, "none twice"),
        ("mmdet-swin", dict(stages=3), TypeError, "stages=3"),
        ("mmdet-swin", dict(plugin=dict(num_heads=5)), ValueError, "5 does not divide"),
        ("mmdet-swin", dict(plugin=dict(heads=4)), TypeError, "heads.*num_heads"),
        ("mmdet-swin", dict(plugin=dict(in_channels=4)), TypeError, "follows from the host"),
        ("mmdet-swin", dict(mode="replace", plugin=dict(depth=2)), TypeError, "depth"),
        ("mmdet-swin", dict(mode="replace", plugin=dict(carrier_size=8)), ValueError, "side, 7"),
    ],
    ids=str,
)
def test_bad_requests_are_refused_and_leave_the_host_alone(name, options, error, message):
    host = build_host(name)
    keys, modules = state_of(host), list(host.named_modules())
    with pytest.raises(error, match=message):
        insert_hat(host, **options)
    assert state_of(host) == keys
    assert list(host.named_modules()) == modules


@every_host
def test_inserting_twice_is_refused(name):
    host = build_host(name)
    names = insert_hat(host, stages=(3,))
    keys = state_of(host)
    with pytest.raises(ValueError, match="remove_hat first"):
        insert_hat(host, stages=(2,))
    assert state_of(host) == keys
    assert remove_hat(host) == names
    with pytest.raises(ValueError, match="no HAT"):
        remove_hat(host)


def test_swin_v2_attention_cannot_be_replaced():
    attention = dict(window_msa=__import__("mmpretrain.models.utils").models.utils.WindowMSAV2)
    host = build_host("mmpretrain-swin", stage_cfgs=dict(block_cfgs=dict(attn_cfgs=attention)))
    with pytest.raises(ValueError, match=r"WindowMSAV2.*'append'"):
        insert_hat(host, mode="replace")


def test_a_config_that_is_none_is_refused():
    with pytest.raises(TypeError, match="config of a backbone"):
        MODELS.build(dict(type="mmfastervit.HATBackbone", backbone="mmdet.SwinTransformer"))
