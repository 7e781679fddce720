"""A class with the name and methods of LLMLingua's (llmlingua 0.2.2), for programs that were written for it.

>>> from diffumask.llmlingua import PromptCompressor  # instead of: from llmlingua import ...
>>> PromptCompressor().compress_prompt(documents, question="Who won?", rate=0.33)["compressed_prompt"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .compress import Compressor
from .errors import InputError
from .integrations import lingua, lingua_json
from .integrations.recover import recover
from .prompt import parse
from .prompt.limits import check_length
from .reader import load_reader

OPENAI = "tiktoken:gpt-3.5-turbo"  # what LLMLingua counts with
_THEIR_MODELS = ("NousResearch/Llama-2-7b-hf", "microsoft/llmlingua-2-")  # stand for the shipped model


class PromptCompressor:
    """LLMLingua's interface over a `model.Compressor`.

    Args:
        model_name: folder of a checkpoint; None, or a name of LLMLingua's own models, is the shipped one.
        device_map: cpu, cuda or mps; "cuda", LLMLingua's default, is the best there is.
        model_config, open_api_config, llmlingua2_config: of LLMLingua's models; must be empty.
        use_llmlingua2: whichever generation; one model answers both.
        compressor: one that is loaded already, instead of all of these.
    Raises InputError when there is no such checkpoint or device.
    """

    def __init__(
        self,
        model_name: str | None = None,
        device_map: str | None = "cuda",
        model_config: Mapping[str, Any] | None = None,
        open_api_config: Mapping[str, Any] | None = None,
        use_llmlingua2: bool = False,
        llmlingua2_config: Mapping[str, Any] | None = None,
        compressor: Compressor | None = None,
    ) -> None:
        given = {
            "model_config": model_config,
            "open_api_config": open_api_config,
            "llmlingua2_config": llmlingua2_config,
        }
        if name := next((name for name, value in given.items() if value), None):
            raise InputError(f"{name} is for LLMLingua's own models; leave it out")
        folder = None if not model_name or model_name.startswith(_THEIR_MODELS) else Path(model_name)
        self.use_llmlingua2 = use_llmlingua2
        self.compressor = compressor or Compressor.load(folder, None if device_map == "cuda" else device_map)

    def __call__(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        return self.compress_prompt(*arguments, **options)

    def compress_prompt(self, context: str | Sequence[str], *arguments: Any, **options: Any) -> dict[str, Any]:
        """See `model.integrations.lingua.compress_prompt`, which also says in which order arguments come."""
        return lingua.compress_prompt(self.compressor, context, *arguments, **options)

    def structured_compress_prompt(
        self, context: str | Sequence[str], *arguments: Any, **options: Any
    ) -> dict[str, Any]:
        """The same of contexts with tags: <llmlingua, rate=0.4> ... </llmlingua>, <llmlingua, compress=False> ..."""
        return self.compress_prompt(context, *arguments, tagged=True, **options)

    def compress_json(
        self,
        json_data: Mapping[str, Any],
        json_config: str | Mapping[str, Mapping[str, Any]],
        *arguments: Any,
        **options: Any,
    ) -> dict[str, Any]:
        """See `model.integrations.lingua_json.compress_json`."""
        return lingua_json.compress_json(self.compressor, json_data, json_config, *arguments, **options)

    def get_token_length(self, text: str, add_special_tokens: bool = True, use_oai_tokenizer: bool = False) -> int:
        """How many prompt tokens a text has, which are what rates count; with use_oai_tokenizer, those of
        gpt-3.5-turbo. Prompt tokens have no special ones among them, so add_special_tokens adds none.

        Raises InputError when the text is not valid, or tiktoken's vocabulary is not there.
        """
        if use_oai_tokenizer:
            return load_reader(OPENAI).count(text)
        check_length(len(text))
        return len(parse(text)) if text.strip() else 0

    def recover(self, original_prompt: str, compressed_prompt: str, response: str) -> str:
        """See `model.integrations.recover.recover`."""
        return recover(original_prompt, compressed_prompt, response)
