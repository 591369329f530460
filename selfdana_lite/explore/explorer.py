"""What all explorers share: a refusal or an error is shown beside the controls, and there is a page without widgets."""

import html
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets

from selfdana_lite.leads import LeadError


class Explorer(ipywidgets.VBox):
    """A column of widgets. Subclasses put `error` among their children and say in `static_html` what they show now."""

    def __init__(self, **kwargs: object) -> None:
        self.error = ipywidgets.HTML()
        super().__init__(**kwargs)

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Around what a callback does: Jupyter hides its errors in a log, here they stand beside the controls as well.

        A LeadError is no fault of the program: a person chose leads that are not there. It is said and not raised, because
        the first exception would keep the choice from all other views of the same picker.
        """
        self.error.value = ""
        try:
            yield
        except LeadError as refusal:
            words = f"<b>Not shown:</b> {html.escape(str(refusal))} What you see is still the choice before."
            self.error.value = f'<p role="status">{words}</p>'
        except Exception as error:
            self.error.value = f'<p role="alert"><b>{type(error).__name__}: {html.escape(str(error))}</b></p>'
            raise

    def static_html(self) -> str:
        """What is shown now as plain HTML: for papermill, exported pages and nbviewer."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        return super()._repr_mimebundle_(**kwargs) | {"text/html": self.static_html()}
