"""What the faces `mirrorhub.modelscope` and `mirrorhub.huggingface_hub` are made of.

signatures         an SDK's function, as it is installed, answered by us
raised             an error that is ours and the SDK's
fitting            what is common to the calls of both
hf_errors, hf      huggingface_hub's functions, and what they raise
ms_errors, ms      modelscope's functions, and what they raise

The SDKs are imported when a function is first used, and only here.
"""
