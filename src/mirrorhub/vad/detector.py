"""The detector: a directory with the model in, segments of speech out."""

from __future__ import annotations

import os
from pathlib import Path

from mirrorhub.errors import ConfigError, WeightsError
from mirrorhub.vad.audio import Audio, read_audio
from mirrorhub.vad.options import Options
from mirrorhub.vad.scores import Scores, build_network, score_blocks
from mirrorhub.vad.segments import Segment, cut
from mirrorhub.vad.weights import read_weights


class Vad:
    """Finds speech. Nothing changes after construction, so threads may share one.

    Attributes:
        path: Where the model lies.
        options: The model's own, with those given here on top.
    """

    def __init__(self, path: str | os.PathLike[str], **options: object) -> None:
        """Load the model.

        Args:
            path: A directory with model.pt, am.mvn and config.yaml.
            options: Any field of `Options`.

        Raises:
            WeightsError: The directory does not hold the model.
            TypeError: There is no option of such a name.
            ConfigError: An option is of the wrong type or out of range.
        """
        self.path = Path(path)
        weights = read_weights(self.path)
        self.options = _options_of_model(self.path, weights.options).changed(options)
        self._network = build_network(weights, self.options.sil_pdf_ids)

    def __call__(self, audio: Audio, **options: object) -> list[Segment]:
        """Find the speech in some audio.

        Args:
            audio: A path, bytes, a binary file object, or (samples, sample_rate).
            options: Any field of `Options`, for this call.

        Returns:
            The segments in order; none if there is no speech.

        Raises:
            AudioError: The audio cannot be read.
            TypeError: There is no option of such a name.
            ConfigError: An option is of the wrong type or out of range.
        """
        chosen = self._chosen(options, self.options.sil_pdf_ids)
        return cut(self.scores(audio), chosen)

    def scores(self, audio: Audio) -> Scores:
        """Compute what segments are cut from; the slow part.

        Raises:
            AudioError: The audio cannot be read.
        """
        return score_blocks(self._network, read_audio(audio))

    def segments(self, scores: Scores, **options: object) -> list[Segment]:
        """Cut scores into segments; fast enough to follow a slider.

        Raises:
            TypeError: There is no option of such a name.
            ConfigError: An option is of the wrong type or out of range, or these scores
                were computed for other sil_pdf_ids.
        """
        return cut(scores, self._chosen(options, scores.silence_ids))

    def _chosen(self, options: dict[str, object], silence_ids: tuple[int, ...]) -> Options:
        chosen = self.options.changed(options)
        if chosen.sil_pdf_ids != silence_ids:
            raise ConfigError(
                f"these scores are for sil_pdf_ids {list(silence_ids)}, not {list(chosen.sil_pdf_ids)}: "
                "give sil_pdf_ids when the detector is made"
            )
        return chosen


def _options_of_model(path: Path, options: object) -> Options:
    try:
        return Options().changed({str(name): value for name, value in dict(options).items()})  # type: ignore[call-overload]
    except (TypeError, ConfigError) as error:
        raise WeightsError(f"{path / 'config.yaml'}: model_conf: {error}") from error
