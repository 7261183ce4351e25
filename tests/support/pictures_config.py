custom_imports = dict(imports=["mmfastervit", "pictures_model"], allow_failed_imports=False)
model = dict(type="Teller")
train_dataloader = dict(
    dataset=dict(type="Pictures"),
    batch_size=4,
    num_workers=0,
    sampler=dict(type="InfiniteSampler", shuffle=True),
)
train_cfg = dict(by_epoch=False, max_iters=6)
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=0.001), clip_grad=dict(max_norm=0.5))
param_scheduler = dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=4)
default_hooks = dict(
    checkpoint=dict(type="mmfastervit.SafeCheckpointHook", by_epoch=False, interval=3),
    logger=dict(type="LoggerHook", interval=1),
)
env_cfg = dict(dist_cfg=dict(backend="gloo"))
randomness = dict(seed=0)
log_processor = dict(by_epoch=False)
