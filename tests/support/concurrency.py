"""Requests that really are concurrent: every connection is open before the first of them sends."""

import threading

from support.http_client import Client


def at_once(endpoint, count, request):
    """Calls `request(client, number)` from `count` threads at the same moment; what each returned, by number.

    Of several endpoints each gets its share."""
    endpoints = endpoint if isinstance(endpoint, list) else [endpoint]
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def work(number):
        try:
            with Client(endpoints[number % len(endpoints)]) as client:
                client.get("/health")
                barrier.wait(timeout=60)
                results[number] = request(client, number)
        except Exception as error:  # raised again below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if errors:
        raise errors[0]
    return results
