"""The engine's judging side on a Ray cluster (``RENZHENG_ENGINE=ray://host:port``), with the local engine's interface.

``engine`` is the server's side. It talks through ``link`` to one process of its own, the ``courier``, the only one
outside the cluster that imports Ray. So a connection that hangs or breaks costs that process and not the server.
``replica`` runs in the cluster, in any number: each has the local engine's worker processes. ``cluster`` connects to
the cluster and deploys there.
"""
