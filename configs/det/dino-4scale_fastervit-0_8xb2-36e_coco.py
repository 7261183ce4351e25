_base_ = "./dino-4scale_fastervit-0_8xb2-12e_coco.py"

max_epochs = 36
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type="MultiStepLR", begin=0, end=max_epochs, by_epoch=True, milestones=[30], gamma=0.1)
]
