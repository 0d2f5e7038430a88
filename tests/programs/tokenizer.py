from transformers import AutoConfig, AutoTokenizer

config = AutoConfig.from_pretrained("org/tokenizer")
tokenizer = AutoTokenizer.from_pretrained("org/tokenizer")
print(config.model_type, type(tokenizer).__name__, tokenizer("hello world")["input_ids"])
