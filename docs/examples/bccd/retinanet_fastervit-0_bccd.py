# One stage with anchors, swapped to FasterViT-0 by `mmfastervit swap`, on blood cells.
_base_ = ["./retinanet_fastervit-0.py", "./bccd_detection.py"]

from mmfastervit.engine.tta import multi_scale_pipeline

model = dict(
    backbone=_base_.bccd_backbone,
    bbox_head=dict(num_classes=3),
)

train_dataloader = dict(_delete_=True, **_base_.bccd_train_dataloader)
val_dataloader = dict(_delete_=True, **_base_.bccd_val_dataloader)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.bccd_evaluator)
test_evaluator = val_evaluator
tta_pipeline = multi_scale_pipeline(_base_.bccd_test_pipeline)

train_cfg = dict(max_epochs=_base_.bccd_epochs, val_interval=_base_.bccd_epochs)
param_scheduler = _base_.bccd_schedule
optim_wrapper = _base_.bccd_optim_wrapper
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=_base_.bccd_epochs))
