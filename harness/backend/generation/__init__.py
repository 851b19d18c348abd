"""The project's own generation server for verl's rollout, named ``builtin``.

Continuous batching with a KV cache over any decoder-only Hugging Face model, in plain PyTorch: for machines
without a GPU first, and for CUDA where vLLM is not installed.

    requests.py           what is asked for and what comes back; verl's sampling parameters
    options.py            which ``rollout.*`` options are honoured, and a clear refusal of the others
    sampling.py           temperature, top-k, top-p, log-probs, and noise that depends on (seed, position) alone
    attention.py cache.py rows.py prefill.py limits.py    the parts of a batch
    engine.py             the batch: admission, decoding steps, compaction (PyTorch and transformers only)
    linear.py model.py    the model as the engine runs it
    weights.py memory.py  trainer → server through shared memory; where the weights live
    service.py            the thread that owns the engine, and its asyncio side
    server.py             verl's server protocol (a Ray actor in training, a plain class in tests)
    replica.py adapter.py checkpoint_engine.py    verl's three extension points

Importing this package loads neither torch nor verl nor Ray.
"""
