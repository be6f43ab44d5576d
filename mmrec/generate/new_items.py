#| export
from typing import Self

import numpy as np, torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmrec.data.basics import best_device, seeded, whole_number
from mmrec.environment import MMRecError
from mmrec.recommend.closed_form import ContentRidge, ridge
from mmrec.recommend.recommender import NotFittedError, content_vectors
from mmrec.recommend.storage import Settings

#| export
class Maker(Settings):
    "Draws behaviour from content; a subclass writes `_net`, `_cost(net, z, y)` and `_draw(net, z)`."

    hidden: int
    steps: int
    batch: int
    lr: float
    seed: int

    def fit(self, z: Float[np.ndarray, "items dim"], y: Float[np.ndarray, "items out"]) -> Self:
        "Learn from items that have content and behaviour."
        z, y = np.asarray(z, np.float32), np.asarray(y, np.float32)
        if z.ndim != 2 or y.ndim != 2 or len(z) != len(y) or not len(z):
            raise MMRecError(f"{type(self).__name__}: content {z.shape} and behaviour {y.shape}")
        if not (np.isfinite(z).all() and np.isfinite(y).all()):
            raise MMRecError(f"{type(self).__name__}: content or behaviour is no number")
        self._scale = [(v.mean(0), v.std(0) + 1e-6 + 0.1 * v.std()) for v in (z, y)]
        z, y = (torch.from_numpy((v - m) / s).to(best_device()) for v, (m, s) in zip((z, y), self._scale))
        self._size = z.shape[1], y.shape[1]
        self._costs: list[float] = []
        with seeded(self.seed):
            self._ready = self._net().to(z.device)
            self._train(z, y)
        self._ready.eval()
        return self

    def _train(self, z, y) -> None:
        optimiser = torch.optim.Adam(self._ready.parameters(), lr=self.lr)
        for _ in range(whole_number(self.steps, f"{type(self).__name__}: steps")):
            some = torch.randint(len(z), (min(self.batch, len(z)),), device=z.device)
            cost = self._cost(self._ready, z[some], y[some])
            optimiser.zero_grad()
            cost.backward()
            optimiser.step()
            self._costs.append(cost.item())

    @torch.no_grad()
    def draw(
        self, z: Float[np.ndarray, "items dim"], n: int = 1, seed: int = 0
    ) -> Float[np.ndarray, "n items out"]:
        "Behaviour vectors for content vectors: n of each."
        if not hasattr(self, "_ready"):
            raise NotFittedError(f"{type(self).__name__}: not fitted; call fit(z, y) first")
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self._size[0]:
            raise MMRecError(f"{type(self).__name__}: content {z.shape}; [items, {self._size[0]}]")
        (mean, spread), (m, s) = self._scale
        with seeded(seed):
            given = torch.from_numpy((z - mean) / spread).to(next(self._ready.parameters()).device)
            out = [self._draw(self._ready, given).cpu().numpy() for _ in range(n)]
        return np.stack(out) * s + m

    def _net(self) -> nn.Module:
        raise NotImplementedError

    def _cost(self, net: nn.Module, z: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError

    def _draw(self, net: nn.Module, z: Tensor) -> Tensor:
        raise NotImplementedError


def _mlp(into: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(into, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, out)
    )

#| export
class VAEMaker(Maker):
    "Conditional variational autoencoder (Sohn et al. 2015)."

    def __init__(
        self, latent: int = 16, beta: float = 1.0, hidden: int = 256, steps: int = 1500,
        batch: int = 256, lr: float = 1e-3, seed: int = 0,
    ):
        self.latent, self.beta, self.hidden, self.steps = latent, beta, hidden, steps
        self.batch, self.lr, self.seed = batch, lr, seed

    def _net(self):
        z, y = self._size
        parts = {
            "encode": _mlp(z + y, self.hidden, 2 * self.latent),
            "decode": _mlp(z + self.latent, self.hidden, y),
        }
        net = nn.ModuleDict(parts)
        net.register_parameter("log_sigma", nn.Parameter(torch.zeros(())))  # learned, too
        return net

    def _cost(self, net, z, y):
        mu, log_s = net["encode"](torch.cat([y, z], 1)).chunk(2, 1)
        h = mu + log_s.exp() * torch.randn_like(mu)
        gap = (y - net["decode"](torch.cat([h, z], 1))).square()
        fit = (gap / (2 * (2 * net.log_sigma).exp()) + net.log_sigma).sum(1)
        return (fit + self.beta * gaussian_kl(mu, log_s)).mean()

    def _draw(self, net, z):
        h = torch.randn(len(z), self.latent, device=z.device)
        return net["decode"](torch.cat([h, z], 1))


def gaussian_kl(
    mu: Float[Tensor, "rows dim"], log_s: Float[Tensor, "rows dim"]
) -> Float[Tensor, "rows"]:
    "KL divergence of N(mu, s^2) from N(0, 1)."
    return 0.5 * (mu.square() + (2 * log_s).exp() - 1 - 2 * log_s).sum(1)

#| export
class GANMaker(Maker):
    "Conditional adversarial network (Mirza & Osindero 2014), its loss the non-saturating one."

    def __init__(
        self, noise: int = 16, anchor: float = 1.0, hidden: int = 256, steps: int = 1500,
        batch: int = 256, lr: float = 5e-4, seed: int = 0,
    ):
        self.noise, self.anchor, self.hidden, self.steps = noise, anchor, hidden, steps
        self.batch, self.lr, self.seed = batch, lr, seed

    def _net(self):
        z, y = self._size
        make, judge = _mlp(z + self.noise, self.hidden, y), _mlp(z + y, self.hidden, 1)
        return nn.ModuleDict({"make": make, "judge": judge})

    def _train(self, z, y):
        net = self._ready
        makes, judges = (
            torch.optim.Adam(net[n].parameters(), lr=self.lr, betas=(0.5, 0.99))
            for n in ("make", "judge")
        )
        for _ in range(whole_number(self.steps, "GANMaker: steps")):
            some = torch.randint(len(z), (min(self.batch, len(z)),), device=z.device)
            given, right = z[some], y[some]
            made = self._draw(net, given)
            real, false = self._judged(net, right, given), self._judged(net, made.detach(), given)
            cost = F.softplus(-real).mean() + F.softplus(false).mean()
            judges.zero_grad()
            cost.backward()
            judges.step()
            cost = F.softplus(-self._judged(net, made, given)).mean()
            cost = cost + self.anchor * F.mse_loss(made, right)
            makes.zero_grad()
            cost.backward()
            makes.step()
            self._costs.append(cost.item())

    def _judged(self, net, y, z):
        return net["judge"](torch.cat([y, z], 1))

    def _draw(self, net, z):
        noise = torch.randn(len(z), self.noise, device=z.device)
        return net["make"](torch.cat([noise, z], 1))

#| export
class DiffusionMaker(Maker):
    "Denoising diffusion with the clean vector as the answer (Ho et al. 2020)."

    def __init__(
        self, times: int = 20, hidden: int = 256, steps: int = 1500, batch: int = 256,
        lr: float = 1e-3, seed: int = 0,
    ):
        self.times, self.hidden, self.steps = times, hidden, steps
        self.batch, self.lr, self.seed = batch, lr, seed

    def _net(self):
        z, y = self._size
        return _mlp(z + y + 2, self.hidden, y)

    def _clean(self, net, y_t, t, z):
        angle = t[:, None] / self.times * torch.pi / 2
        return net(torch.cat([y_t, angle.sin(), angle.cos(), z], 1))

    def _cost(self, net, z, y):
        kept = kept_share(self.times).to(y.device)
        t = torch.randint(1, self.times + 1, (len(y),), device=y.device)
        a = kept[t][:, None]
        y_t = a.sqrt() * y + (1 - a).sqrt() * torch.randn_like(y)
        return (y - self._clean(net, y_t, t, z)).square().sum(1).mean()

    def _draw(self, net, z):
        kept, y = kept_share(self.times).to(z.device), torch.randn(len(z), self._size[1])
        y = y.to(z.device)
        for t in range(self.times, 0, -1):
            told = self._clean(net, y, torch.full((len(z),), t, device=z.device), z)
            y = denoised(y, told, kept[t], kept[t - 1], torch.randn_like(y))
        return y


def kept_share(times: int) -> Float[Tensor, "times+1"]:
    "How much of the vector's variance is left after t steps: 1 at 0 (cosine, Nichol & Dhariwal 2021)."
    t = torch.arange(whole_number(times, "times") + 1) / times
    return (torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2).clamp(min=1e-4)


def denoised(
    y: Tensor, told: Tensor, now: Tensor, before: Tensor, noise: Tensor
) -> Float[Tensor, "rows dim"]:
    "One step back, from a share `now` to `before`, given the clean vector that was told."
    a = now / before
    mean = before.sqrt() * (1 - a) * told + a.sqrt() * (1 - before) * y
    spread = ((1 - before) * (1 - a) / (1 - now)).clamp(min=0).sqrt()
    return mean / (1 - now) + spread * noise

#| export
def spread_ratio(
    maker: Maker,
    z: Float[np.ndarray, "items dim"],
    y: Float[np.ndarray, "items out"],
    known: Float[np.ndarray, "known dim"],  # content and behaviour it was fitted on
    told: Float[np.ndarray, "known out"],
    l2: float = 20.0,
    n: int = 8,
) -> float:
    "Root mean square spread of draws for one item, against that of real behaviour round ridge's."
    draws = maker.draw(z, whole_number(n, "spread_ratio: n"))
    inside = draws.var(0, ddof=1).mean() if n > 1 else 0.0
    mean = told.mean(0)
    left = y - mean - ridge(known, told - mean, l2, z)
    return float(np.sqrt(inside / max(np.square(left).mean(), 1e-12)))

#| export
class NewItems(ContentRidge):
    "Content ridge whose new items get their factors from a maker's draws."

    def __init__(
        self,
        maker: Maker | None = None,  # None: the regression
        draws: int = 8,  # averaged
        rank: int = 128,
        item: float = 0.5,
        user: float = 0.5,
        spectrum: float = 1.2,
        l2: float = 20.0,
        weights: dict[str, float] | str | None = None,
        seed: int = 0,
    ):
        super().__init__(rank, item, user, spectrum, l2, weights, seed)
        self.maker, self.draws = maker, draws

    def _fit(self, dataset):
        super()._fit(dataset)
        known = dataset.train.getnnz(0) > 0
        if self.maker is None or known.all():
            return
        z = content_vectors(dataset, self.weights_)
        maker = type(self.maker)(**self.maker.get_params(deep=False))
        maker.fit(z[known], self.items_[known])
        n = whole_number(self.draws, "NewItems: draws")
        self.items_[~known] = maker.draw(z[~known], n, self.seed).mean(0)