custom_imports = dict(imports=["tiny_model"], allow_failed_imports=False)
model = dict(type="Tiny")
train_dataloader = dict(
    dataset=dict(type="Points"),
    batch_size=4,
    num_workers=0,
    sampler=dict(type="InfiniteSampler", shuffle=True),
)
train_cfg = dict(by_epoch=False, max_iters=6)
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=0.01), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=2),
    dict(type="OneCycleLR", eta_max=0.05, total_steps=20, by_epoch=False, begin=2),
]
test_dataloader = dict(
    dataset=dict(type="Points"), batch_size=4, sampler=dict(type="DefaultSampler", shuffle=False)
)
test_cfg = dict()
test_evaluator = dict(type="MeanError")
default_hooks = dict(
    checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=3),
    logger=dict(type="LoggerHook", interval=1),
)
custom_hooks = [dict(type="EMAHook")]
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(base_batch_size=8)
