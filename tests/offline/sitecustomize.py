"""Python imports this by itself at its start when the folder is on PYTHONPATH: so notebook kernels are offline too."""

import no_network

no_network.block()
