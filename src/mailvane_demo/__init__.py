"""`mailvane demo`: a server beside a simulated mail world. The server knows nothing of it."""
