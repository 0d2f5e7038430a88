import sys

from funasr import AutoModel

model = AutoModel(model=sys.argv[2], device="cpu")
print(model.generate(input=sys.argv[1])[0]["value"])
