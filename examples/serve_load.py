"""Measure the latency of `serve.py` under fifty clients at once, while the model is reloaded.

Run as ``python examples/serve_load.py [SECONDS]`` beside ``python examples/serve.py serve FOLDER``.
"""

import asyncio
import random
import sys
import time

CLIENTS, HOST, PORT, USERS = 50, "127.0.0.1", 8000, 20_000


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> bool:
    """Send a request over a connection that stays open; return whether it was answered."""
    writer.write(f"{request} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = head.partition("content-length: ")[2].split("\r\n")[0]
    await reader.readexactly(int(length))
    return head.startswith("http/1.1 200")


async def client(number: int, until: float, took: list[float], failed: list[str]) -> None:
    """Ask for one user after the other."""
    random_user = random.Random(number)
    reader, writer = await asyncio.open_connection(HOST, PORT)
    while time.perf_counter() < until:
        start = time.perf_counter()
        user = random_user.randrange(USERS)
        try:
            answered = await ask(reader, writer, f"GET /recommend?user=u{user}&top=10")
        except (OSError, EOFError) as error:
            failed.append(repr(error))
            reader, writer = await asyncio.open_connection(HOST, PORT)
            continue
        took.append(time.perf_counter() - start)
        if not answered:
            failed.append(f"u{user}")
    writer.close()


async def reloads(until: float, every: float) -> int:
    """Have the model reloaded, again and again; return how often."""
    count = 0
    while time.perf_counter() + every < until:
        await asyncio.sleep(every)
        reader, writer = await asyncio.open_connection(HOST, PORT)
        count += await ask(reader, writer, "POST /reload")
        writer.close()
    return count


async def measure(seconds: float, every: float) -> None:
    """Print what the clients see."""
    took: list[float] = []
    failed: list[str] = []
    until = time.perf_counter() + seconds
    clients = [client(number, until, took, failed) for number in range(CLIENTS)]
    done = await asyncio.gather(reloads(until, every), *clients)
    took.sort()
    shown = ", ".join(
        f"{share:.0%} within {1000 * took[int(share * len(took))]:.1f} ms"
        for share in (0.5, 0.95, 0.99)
    )
    print(
        f"{CLIENTS} clients, {done[0]} reloads: {len(took) / seconds:,.0f} requests a second, "
        f"{shown}; {len(failed)} failed"
    )


if __name__ == "__main__":
    length = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    asyncio.run(measure(length, every=2 * length))  # no reload
    asyncio.run(measure(length, every=length / 4))
