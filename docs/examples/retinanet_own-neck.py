# RetinaNet with the neck of own_neck.py: PYTHONPATH must hold the folder of that file.
_base_ = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"

custom_imports = dict(imports=["own_neck"], allow_failed_imports=False)
model = dict(
    neck=dict(_delete_=True, type="TwoMapNeck", widths=[1024, 2048], out_channels=256),
    bbox_head=dict(anchor_generator=dict(strides=[16, 32])),
)
