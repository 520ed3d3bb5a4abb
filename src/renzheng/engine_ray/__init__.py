"""The engine's judging side on a Ray cluster (``RENZHENG_ENGINE=ray://host:port``), behind the local one's interface.

``engine`` is what the server holds. It speaks through ``link`` to one process of its own, the ``courier``, the only one
beside the cluster that imports Ray; so a connection that hangs or breaks costs that process and not the server.
``replica`` is what runs in the cluster, in any number: the local engine's worker processes, once each. ``cluster`` is
how both meet there.
"""
