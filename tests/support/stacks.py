"""What the tests find elsewhere in OpenMMLab's own releases and in their maintained forks."""

import mmengine.config.config
from mmseg.models.data_preprocessor import SegDataPreProcessor

# what formats the text of a config: imported by mmengine's module, or by its function when it runs
FORMATTER = (
    "mmengine.config.config.FormatCode"
    if hasattr(mmengine.config.config, "FormatCode")
    else "yapf.yapflib.yapf_api.FormatCode"
)


def _takes_many() -> bool:
    try:
        SegDataPreProcessor(mean=[0.0] * 4, std=[1.0] * 4)
    except AssertionError:
        return False
    return True


# the type of a segmentor's data preprocessor with statistics of other than one or three channels
MANY_CHANNELS = (
    "SegDataPreProcessor"
    if _takes_many()
    else "mmfastervit.engine.seg_channels.SegChannelsPreprocessor"
)
