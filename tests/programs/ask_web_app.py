import sys

from gradio_client import Client, handle_file

print(Client(sys.argv[1], verbose=False).predict(handle_file(sys.argv[2]), api_name="/detect")["data"])
