"""The server: the page, and all that it shows, on this machine. FastAPI and uvicorn are imported when it starts."""
