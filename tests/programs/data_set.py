from datasets import load_dataset

print(load_dataset("org/data", split="train").to_list())
