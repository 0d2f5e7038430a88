import gradio as gr
from modelscope.pipelines import pipeline
from modelscope.utils.constant import Tasks

vad = pipeline(
    task=Tasks.voice_activity_detection,
    model="iic/speech_fsmn_vad_zh-cn-16k-common-pytorch",
    model_revision="v1.0.0",
)


def detect(path):
    if path is None:
        return []
    return [[begin / 1000, end / 1000] for begin, end in vad(path)[0]["value"]]


with gr.Blocks(title="Voice activity detection") as demo:
    audio = gr.Audio(type="filepath", label="Audio")
    table = gr.Dataframe(headers=["begin (s)", "end (s)"], label="Speech")
    gr.Button("Detect").click(detect, audio, table, api_name="detect")

demo.launch()
