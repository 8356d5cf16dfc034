"""A published model's critic or encoder in memory, which turns pictures into features."""

from pathlib import Path

import torch

from data.levels import full_level
from models.build import count_parameters
from models.checkpoint import DamagedCheckpoint
from models.features import FeatureExtractor, load_critic, load_encoder, recipe_of_export
from serving.loaded import SINGLE_THREAD_WEIGHTS, bytes_of
from serving.protocol import Array, CriticFile, ExportFlawed


def read_critic(export: Path, critic: CriticFile) -> FeatureExtractor:
    """Load the critic of an export's checkpoint. Raises ExportFlawed with the checkpoint's sha256."""
    try:
        return load_critic(recipe_of_export(export), critic.path, critic.sha256)
    except DamagedCheckpoint as error:
        raise ExportFlawed(critic.sha256, "damaged" if critic.path.is_file() else "missing") from error


class LoadedExtractor:
    """The network on the device. It sees one picture at a time, so that others do not change its bits."""

    def __init__(self, export: Path, critic: CriticFile | None, device: torch.device, threads: int) -> None:
        """Load the critic, or the encoder that the export holds. Raises ExportFlawed with the checkpoint's sha256."""
        extractor = load_encoder(export) if critic is None else read_critic(export, critic)
        self.bytes = bytes_of(extractor)
        self._extractor = extractor.to(device)
        self._device = device
        self._threads = 1 if count_parameters(extractor) < SINGLE_THREAD_WEIGHTS else threads

    def features(self, picture: Array) -> Array:
        """Return the features float32 [f] of a picture, levels [side, side, channels]."""
        torch.set_num_threads(self._threads)
        x = torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None].float() / (full_level(picture) / 2) - 1
        features: Array = self._extractor(x)[0].float().cpu().numpy()
        return features
