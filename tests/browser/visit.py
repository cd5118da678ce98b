"""One look at the page, and all that the browser had to say about it."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, ViewportSize

WIDE: ViewportSize = {"width": 1200, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}


class Visit:
    """A page that was opened.

    ``requests`` are those of the document itself, ``renewals`` counts those of its script; ``complaints`` are
    script errors and the console's lines, broken policies included.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.renewals = 0
        self.complaints: list[str] = []
        page.on("request", self._note)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        answer = page.goto(url)
        assert answer is not None
        self.status = answer.status
        self.size = len(answer.body())

    def _note(self, request: Request) -> None:
        if request.resource_type == "fetch":
            self.renewals += 1
        else:
            self.requests.append(request.url)

    @property
    def state(self) -> str:
        """The word at the top."""
        return self.page.locator("h1").inner_text()

    @property
    def text(self) -> str:
        """All that is said."""
        return self.page.locator("body").inner_text()

    @property
    def overhang(self) -> int:
        """How many pixels the document is wider than the screen."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def as_on(self, screen: ViewportSize, scheme: Any) -> None:
        """Look at it on a screen of that size, in the light or in the dark."""
        self.page.set_viewport_size(screen)
        self.page.emulate_media(color_scheme=scheme)

    def barriers(self) -> str:
        """Return what axe finds that keeps people out; empty when nothing does."""
        found = Axe().run(self.page)
        return str(found.generate_report()) if found.violations_count else ""
