"""Why a row differs. A pattern stands for one row or for several; one that no row needs is an error of the tests."""

from __future__ import annotations

NOTHING = "A dry run writes nothing at all; the SDK writes the ref of the branch."
LEFT = "A call that failed leaves nothing; the SDK leaves the ref of the branch."
MISSING = "The message says which argument is missing; the SDK fails with an AttributeError."
REASONS: dict[str, str] = {
    "huggingface_hub.*-token-empty": "The SDK sends an empty token and fails in its HTTP library; here it is no token.",
    "huggingface_hub.snapshot_download-dry_run-fresh": NOTHING,
    "huggingface_hub.hf_hub_download-dry_run-none": NOTHING,
    "huggingface_hub.snapshot_download-dry_run-patterns": NOTHING,
    "huggingface_hub.snapshot_download-dry_run-local_dir": NOTHING,
    "huggingface_hub.snapshot_download-token-gated: None": LEFT,
    "huggingface_hub.snapshot_download-token-gated: False": LEFT,
    "huggingface_hub.snapshot_download-max_workers-0": LEFT,
    "huggingface_hub.hf_hub_download-repo_type-dataset, none there": "The hub says that there is no such repository. "
    "The SDK does not recognise that over http, as in this comparison; over https it raises the same.",
    "huggingface_hub.hf_hub_download-filename-''": "No file has an empty name, and nobody is asked for one.",
    "modelscope.*snapshot_download-endpoint-dead, there": "What is on disk is used, with a warning; the SDK fails.",
    "modelscope.dataset_snapshot_download-dataset_id-None": MISSING,
    "modelscope.*_file_download-*_id-None": MISSING,
    "modelscope.*_file_download-*-moved": "A file that has changed on the hub is fetched again; the SDK takes any file "
    "of the name.",
}
