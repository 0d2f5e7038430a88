"""What the faces `mirrorhub.modelscope` and `mirrorhub.huggingface_hub` are made of.

signatures                          an SDK's function, as it is installed, answered by us
submodules                          what lies below a face
raised                              an error that is ours and the SDK's
fitting                             what is common to the calls of both
hf, hf_arguments, hf_bars,
    hf_preview, hf_errors           huggingface_hub's functions: what they mean, show, preview and raise
ms, ms_arguments, ms_disk,
    ms_errors, ms_types             modelscope's functions: what they mean, find and raise; and their types

The SDKs are imported when a function is first used, and only here.
"""
