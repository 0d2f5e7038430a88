from tokenizers import Tokenizer

print(Tokenizer.from_pretrained("org/tokenizer").encode("hello world").ids)
