import sys

from modelscope.pipelines import pipeline
from modelscope.utils.constant import Tasks

try:
    vad = pipeline(
        task=Tasks.voice_activity_detection,
        model="iic/speech_fsmn_vad_zh-cn-16k-common-pytorch",
        model_revision="v1.0.0",
    )
except Exception as error:
    print("not loaded:", error)
    sys.exit(1)
print("model loaded")
