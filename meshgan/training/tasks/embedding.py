"""Training of an embedding network: faces of one label near each other, all others farther off."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from torch import Tensor, nn

from meshgan.models.embedding import EmbeddingNet
from meshgan.pictures.normal_maps import NormalMaps
from meshgan.training.task import Batch, Optimiser, Phase, Stream, Task, Terms
from meshgan.training.tasks.embedding_batches import vary_faces
from meshgan.training.tasks.embedding_config import TripletConfig, VariationConfig

NET = "net"
"""Name of the network in a RUN's weights."""
FACES_AT_ONCE = 64

Embed = Callable[[Float[Tensor, "B V 3"]], Float[Tensor, "B d"]]


class Embedding(Task):
    """Trains an embedding network by triplets.

    Args:
        net: sees normal maps.
        maps: draws them, while the training goes on.
        stream: vertices and labels, several faces of each label in a batch.
        triplets: loss, mining, optimiser.
        variation: of the faces in a batch.
        mirror: left-right partner of each vertex, for mirrored faces.
        judge: scores an embedding function on held-out faces; nothing is validated if None.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3; triplet loss and semi-hard mining: Schroff
    et al. 2015, FaceNet, Eqs. 1-4.
    Differs: variations, margin and mining, of which the paper says nothing.
    """

    def __init__(
        self,
        net: EmbeddingNet,
        maps: NormalMaps,
        stream: Stream,
        triplets: TripletConfig,
        variation: VariationConfig,
        mirror: Int[Tensor, " V"] | None = None,
        judge: Callable[[Embed], dict[str, float]] | None = None,
    ) -> None:
        self.net, self.maps, self.stream = net, maps, stream
        self.triplets, self.variation, self.mirror = triplets, variation, mirror
        self.judge = judge
        self._loss = TripletMarginLoss(margin=triplets.margin)
        self._miner = (
            BatchHardMiner()
            if triplets.mining == "hardest"
            else TripletMarginMiner(triplets.margin, type_of_triplets=triplets.mining)
        )

    def modules(self) -> dict[str, nn.Module]:
        return {NET: self.net}

    def streams(self) -> dict[str, Stream]:
        return {"main": self.stream}

    def optimisers(self) -> dict[str, Optimiser]:
        return {NET: Optimiser((NET,), self.triplets.optimiser)}

    def plan(self, iteration: int) -> Sequence[Phase]:
        return (Phase(NET, (NET,)),)

    def loss(self, phase: str, batch: Batch, iteration: int, rng: torch.Generator) -> Terms:
        mirror = None if self.mirror is None else self.mirror.to(batch["vertices"].device)
        pictures = self.maps.maps(vary_faces(batch["vertices"], self.variation, mirror, rng))
        if self.variation.noise:
            noise = torch.randn(pictures.shape, generator=rng, device=rng.device)
            pictures = pictures.add_(noise.to(pictures.device), alpha=self.variation.noise)
        embeddings = self.net.train()(pictures)
        mined = self._miner(embeddings, batch["labels"])
        return {"triplet": self._loss(embeddings, batch["labels"], mined)}

    def validate(self, rng: torch.Generator) -> dict[str, float]:
        """Accuracy and false acceptance on held-out faces, at the best threshold of the rule."""
        return {} if self.judge is None else self.judge(self.embed)

    def embed(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B d"]:
        """Embeddings of faces as they are, on the CPU."""
        return embed_faces(self.net, self.maps, vertices)


@torch.no_grad()
def embed_faces(
    net: EmbeddingNet, maps: NormalMaps, vertices: Float[Tensor, "B V 3"]
) -> Float[Tensor, "B d"]:
    """Draw faces and embed them, a few at a time, on the network's device.

    Args:
        net: left in evaluation mode: a face has the same embedding in any batch.
        maps: draws the pictures that the network was trained on.
        vertices: positions (B, V, 3), mm.

    Returns:
        (B, d) on the CPU, unit length.

    Raises:
        ShapeError: the meshes have another number of vertices than the template.
        InputError: a vertex is not finite.
    """
    net.eval()
    device = net.output.weight.device
    parts = [
        net(maps.maps(some.to(device))).cpu() for some in vertices.split(FACES_AT_ONCE) if len(some)
    ]
    return torch.cat(parts) if parts else torch.empty(0, net.output.out_features)
