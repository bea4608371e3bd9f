"""A harness (docs/implementations.md) in front of an installed TensorRT-LLM's own configuration classes; run as a script.

It needs nothing of kvgauge, so that it runs in TensorRT-LLM's environment. The
method that it answers is `backend` as the class leaves it (`DEFAULT`, `UCX`,
..., `null`); `trtllm_installed.py` makes a transport of it.
"""

import base64
import json
import os
import sys
from importlib import import_module


def main() -> None:
    """Answer questions until there are none; what TensorRT-LLM prints goes to stderr."""
    sys.path.pop(0)  # this folder: none of its modules are meant for others
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answers:
        os.dup2(2, 1)
        classes = import_module("tensorrt_llm.llmapi.llm_args")
        version = str(import_module("tensorrt_llm").__version__)
        started = {"kvgauge": 1, "name": "tensorrt_llm", "version": version, "answers": ["method"]}
        for line in sys.stdin:
            question = json.loads(line)
            if question["do"] == "stop":
                break
            answer = started | {"environment": "question"} if question["do"] == "start" else _method(classes, question)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _method(classes: object, question: dict) -> dict:  # type: ignore[type-arg]  # JSON; older Pythons run this, too
    os.environb.clear()
    os.environb.update({base64.b64decode(name): base64.b64decode(value) for name, value in question["environment"]})
    config = question["config"]
    engine = getattr(classes, "TorchLlmArgs", None)
    if engine is not None and engine.model_config.get("extra") == "forbid":
        unknown = [key for key in config if key not in engine.model_fields]
        if unknown:
            return {"refused": "no field of TorchLlmArgs: " + ", ".join(unknown)}
    section = config.get("cache_transceiver_config")
    if section is None:
        return {"method": "null"}
    try:
        backend = getattr(classes.CacheTransceiverConfig(**section), "backend", "DEFAULT")  # type: ignore[attr-defined]  # theirs
    except (TypeError, ValueError) as error:  # ValueError: pydantic's, too
        return {"refused": " ".join(str(error).split())[:1000]}
    return {"method": "null" if backend is None else str(backend)}


if __name__ == "__main__":
    main()
