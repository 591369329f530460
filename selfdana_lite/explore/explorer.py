"""What all explorers share: an error is shown beside the controls and raised, and there is a page without widgets."""

import html
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets


class Explorer(ipywidgets.VBox):
    """A column of widgets. Subclasses put `error` among their children and say in `static_html` what they show now."""

    def __init__(self, **kwargs: object) -> None:
        self.error = ipywidgets.HTML()
        super().__init__(**kwargs)

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Around what a callback does: Jupyter hides its errors in a log, here they stand beside the controls as well."""
        self.error.value = ""
        try:
            yield
        except Exception as error:
            self.error.value = f'<p role="alert"><b>{type(error).__name__}: {html.escape(str(error))}</b></p>'
            raise

    def static_html(self) -> str:
        """The same content as plain HTML: for papermill, exported pages and nbviewer."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        return super()._repr_mimebundle_(**kwargs) | {"text/html": self.static_html()}
