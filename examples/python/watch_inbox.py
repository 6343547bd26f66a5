"""Prints the unread threads of an inbox, and then each message that arrives. docs/python.md shows how to run it.

ADDRESS is the server's address (default 127.0.0.1:50051). TOKEN_FILE is the file with the API token (default
data/api-token), which needs the scopes events:read and inbox:read.
"""

import argparse
import asyncio
import os
import pathlib
import random
import sys

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from vintedbot.v1 import event_pb2, event_pb2_grpc, inbox_pb2, inbox_pb2_grpc

SILENCE_S = 40  # The server sends a message at least every 15 s. After a longer silence, the connection is dead.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 10
# After these codes a retry can help, even if the error has a reason: a server that shuts down sends UNAVAILABLE.
TEMPORARY = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED"}
# Without this option, a new channel can share the dead connection of the previous one.
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def detail(error, message):
    """Fills `message` from the error's detail of the same type. It stays empty if there is no such detail."""
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        if packed.Unpack(message):
            break
    return message


def reason(error):
    """Returns the server's reason, such as ERROR_REASON_TOKEN_INVALID. Empty if the connection failed."""
    info = detail(error, ErrorInfo())
    return info.reason if info.domain == "vintedbot" else ""


async def watch(address, metadata, request):
    """Yields the messages of the event log. Resumes after a lost connection, so that each event arrives once."""
    wait = FIRST_WAIT_S
    while True:
        cut, retry_after = "the server ended the stream", 0
        async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
            call = event_pb2_grpc.EventServiceStub(channel).Watch(request, metadata=metadata)
            try:
                while (message := await asyncio.wait_for(call.read(), SILENCE_S)) is not grpc.aio.EOF:
                    wait = FIRST_WAIT_S
                    yield message
                    request.cursor = message.cursor or request.cursor
            except asyncio.TimeoutError:
                cut = f"no message for {SILENCE_S} s"
            except grpc.aio.AioRpcError as error:
                is_final = reason(error) and error.code().name not in TEMPORARY
                if is_final or not request.cursor:  # Before the first message, the address may be wrong.
                    raise
                cut = f"{error.code().name}: {error.details()}"
                retry_after = detail(error, RetryInfo()).retry_delay.ToTimedelta().total_seconds()
        pause = max(retry_after, wait * random.uniform(0.5, 1))
        wait = min(2 * wait, LONGEST_WAIT_S)
        print(f"{cut}; next attempt in {pause:.1f} s", file=sys.stderr, flush=True)
        await asyncio.sleep(pause)


async def list_threads(address, metadata, request):
    """Yields all threads, page by page."""
    async with grpc.aio.insecure_channel(address) as channel:
        inbox = inbox_pb2_grpc.InboxServiceStub(channel)
        while True:
            page = await inbox.ListThreads(request, metadata=metadata, timeout=30)
            for thread in page.threads:
                yield thread
            request.page_token = page.next_page_token
            if not request.page_token:
                return


async def main(account_ids, limit):
    address = os.environ.get("ADDRESS", "127.0.0.1:50051")
    token = pathlib.Path(os.environ.get("TOKEN_FILE", "data/api-token")).read_text().strip()
    metadata = (("authorization", f"Bearer {token}"),)
    kinds = [event_pb2.EVENT_KIND_MESSAGE_RECEIVED, event_pb2.EVENT_KIND_THREAD_CREATED]
    messages = watch(address, metadata, event_pb2.WatchRequest(account_ids=account_ids, kinds=kinds))
    await anext(messages)  # The watch begins before the listing, so that no message is missed between them.

    logins, received = {}, 0
    async for thread in list_threads(address, metadata, inbox_pb2.ListThreadsRequest(account_ids=account_ids)):
        logins[thread.id] = thread.person.login
        if thread.unread:
            print(f"unread: {thread.person.login}: {thread.snippet!r}", flush=True)

    while limit is None or received < limit:
        resource = (await anext(messages)).event.resource  # Empty if the message is a checkpoint.
        thread, message = resource.thread, resource.message
        if thread.id:
            logins[thread.id] = thread.person.login
        if thread.unread:  # A new thread: there are no events for the messages that it already has.
            print(f"received: {thread.person.login}: {thread.snippet!r}", flush=True)
        elif message.id:
            print(f"received: {logins.get(message.thread_id, message.thread_id)}: {message.text!r}", flush=True)
        received += bool(thread.unread or message.id)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--account", metavar="ID", help="the id of the account; all accounts by default")
    parser.add_argument("--messages", metavar="N", type=int, help="ends after N received messages")
    arguments = parser.parse_args()
    try:
        asyncio.run(main([arguments.account] if arguments.account else [], arguments.messages))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{reason(error) or error.code().name}: {error.details()}")
    except KeyboardInterrupt:
        sys.exit(130)
