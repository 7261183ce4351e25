# The DETR kind, swapped to FasterViT-0 by `mmfastervit swap`; with fewer queries and a smaller
# transformer than for COCO, as it must learn on a CPU.
_base_ = ["./dino_fastervit-0.py", "./bccd_detection.py"]

model = dict(
    backbone=_base_.bccd_backbone,
    num_queries=100,
    encoder=dict(num_layers=1, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=512))),
    decoder=dict(num_layers=2, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=512))),
    bbox_head=dict(num_classes=3),
    test_cfg=dict(max_per_img=100),
)

train_dataloader = dict(_delete_=True, **_base_.bccd_train_dataloader)
val_dataloader = dict(_delete_=True, **_base_.bccd_val_dataloader)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.bccd_evaluator)
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=_base_.bccd_epochs, val_interval=_base_.bccd_epochs)
param_scheduler = _base_.bccd_schedule
optim_wrapper = _base_.bccd_optim_wrapper
optim_wrapper.optimizer.lr = 4e-4  # with 1e-3 the full-size DINO did not learn
optim_wrapper.clip_grad.max_norm = 1
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=_base_.bccd_epochs))
