"""Encoders on the Hugging Face Hub, or in folders by its conventions, which are those of save_encoder, too.

pip install 'selfdana_lite[hub]'; then, signed in to the Hub,

    HubEncoder.from_pretrained("my_encoder").push_to_hub("me/my_encoder")    # from a folder that save_encoder wrote
    HubEncoder.from_pretrained("me/my_encoder")                              # anywhere else; downloads
"""

try:
    from huggingface_hub import PyTorchModelHubMixin
except ImportError as error:
    raise ImportError("Sharing over the Hugging Face Hub needs another package: pip install 'selfdana_lite[hub]'.") from error

from selfdana_lite.encoders import Encoder


class HubEncoder(Encoder, PyTorchModelHubMixin, library_name="selfdana_lite", tags=["ecg", "self-supervised-learning"]):
    """An Encoder with from_pretrained, save_pretrained and push_to_hub; else like any other.

    What it writes, load_encoder reads, and the other way round: config.json and model.safetensors.
    """

    @classmethod
    def _from_pretrained(cls, *, strict: bool = True, **options) -> "HubEncoder":
        """Strict unless told otherwise: weights that are missing in the file would else stay random, without a word."""
        return super()._from_pretrained(strict=strict, **options)
