"""The parts of one server, built in the order in which they need each other. Randomness enters here alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from renzheng.base import defaults
from renzheng.capture.capacity import Capacity
from renzheng.capture.channel import Channel
from renzheng.capture.evidence import EvidenceShelf
from renzheng.capture.parts import ChannelParts
from renzheng.capture.photos import PhotoDesk
from renzheng.capture.verdicts import Verdicts
from renzheng.capture.watching import Pulse
from renzheng.delivery.client import Clients
from renzheng.delivery.deliverer import Deliverer, DeliveryParts
from renzheng.delivery.hosts import AllowedHosts
from renzheng.gateway.processes import ProcessPool
from renzheng.server.background import end_in_order
from renzheng.server.capture_accounts import AccountsOfKeys
from renzheng.server.device_proof import device_proof
from renzheng.server.engine_adapters import EngineExaminer, EngineLookout, EnginePhotos
from renzheng.server.engines import make_engine
from renzheng.server.judging import day_of, elsewhere, make_judge
from renzheng.server.metrics import Metrics
from renzheng.server.readiness import Phase, server_readiness
from renzheng.server.room_settings import capacity_limits, channel_settings, open_server_store
from renzheng.server.shared_counts import shared_counts
from renzheng.settings import Settings
from renzheng.store.nodes import SERVER, Report
from renzheng.store.open import Store
from renzheng.web.qr import qr_rows

Clock = Callable[[], float]
Entropy = Callable[[int], bytes]


class ServerParts:
    """What is behind the listeners. `Lifespan` starts and stops it."""

    def __init__(self, settings: Settings, clock: Clock, entropy: Entropy) -> None:
        self.settings = settings
        self.clock = clock
        self.entropy = entropy
        self.metrics = Metrics()
        self.phase = Phase()
        self.store: Store = open_server_store(settings, clock, entropy)
        self.engine = make_engine(settings)
        self.membership = self.store.membership(SERVER, self._report, end_in_order)
        folders = (settings.data_dir, settings.keys_dir)
        self.readiness = server_readiness(self.phase, self.engine, self.store, self.membership, folders)
        self.capacity = Capacity(capacity_limits(settings), lambda: self.engine.can_judge)
        self.pulse = Pulse(clock)
        self.verdicts = Verdicts(self.store.sessions, news=self.store.database.news)
        self.judge = make_judge(*(settings, self.store, self.engine, self.verdicts, self.metrics, clock, self.capacity))
        self.shelf = EvidenceShelf(
            self.store.sessions,
            EngineExaminer(self.engine),
            at_once=settings.mux_processes,
            waiting=defaults.MUX_QUEUE,
            wait_seconds=settings.video_wait_seconds,
        )
        self.deliverer = self._deliverer()
        self.shared = shared_counts(settings, self.metrics, entropy)
        self.channel = self._channel()
        self.readiness.add("judges", self._judges_trouble)
        self.sm2 = ProcessPool(settings.sm2_processes)
        self.sealing_threads = ThreadPoolExecutor(settings.encryption_threads, "renzheng-sealing")

    def judged_per_second(self) -> float:
        """Return how many verifications all judges together can judge per second."""
        return self.capacity.judged_per_second(self.clock()) + elsewhere(self.membership.others).judged_per_second

    def _report(self) -> Report:
        """Return what this server announces about itself to the other processes."""
        return Report(self.capacity.judged_per_second(self.clock()), self.channel.places.taken)

    async def _judges_trouble(self) -> str | None:
        return None if self.judged_per_second() else "nobody judges: start renzheng judge"

    def _deliverer(self) -> Deliverer:
        store, settings = self.store, self.settings
        parts = DeliveryParts(
            outbox=store.deliveries,
            shelf=self.shelf,
            buckets=store.keys.buckets,
            has_frames=store.sessions.has_frames,
            clients=Clients(AllowedHosts(settings.bucket_hosts), settings.bucket_proxy),
            counter=self.metrics,
            clock=self.clock,
            entropy=self.entropy,
        )
        return Deliverer(parts)

    def _channel(self) -> Channel:
        settings = self.settings
        parts = ChannelParts(
            sessions=self.store.sessions,
            accounts=AccountsOfKeys(self.store.keys),
            lookout=EngineLookout(self.engine),
            photos=PhotoDesk(self.store.sessions, EnginePhotos(self.engine), settings.photo_wait_seconds),
            verdicts=self.verdicts,
            counter=self.metrics,
            clock=self.clock,
            entropy=self.entropy,
            day=lambda now: day_of(settings, now),
            device_proof=device_proof,
            qr=qr_rows,
            capacity=self.capacity,
            pulse=self.pulse,
            elsewhere=lambda: elsewhere(self.membership.others),
            nodes=self.membership,
            news=self.store.database.news,
            socket_counts=self.shared.sockets if self.shared else None,
        )
        return Channel(parts, channel_settings(settings))
