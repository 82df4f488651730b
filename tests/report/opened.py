"""A page in a browser, and what tests ask of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAIT = 10  # seconds, until a test gives up


@dataclass
class Opened:
    """A page that is loaded and shows its samples."""

    driver: Any
    path: Path

    def __post_init__(self) -> None:
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get(self.path.as_uri())
        self.until("return document.documentElement.dataset.ready === 'yes'")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, WAIT, 0.02).until(lambda _: self.run(script), script)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def choose(self, name: str, value: str) -> None:
        """Choose an entry of a control by its text, and wait for the samples."""
        control = self.one(f"#s-{name}")
        labels = [option.text for option in self.all(f"#s-{name} option")]
        script = f"arguments[0].selectedIndex = {labels.index(value)}"
        self._changed(control, script)

    def find(self, text: str) -> None:
        """Search, and wait for the samples."""
        self._changed(self.one("#s-find"), f"arguments[0].value = {json.dumps(text)}")

    def documents(self) -> list[int]:
        return [int(card.get_attribute("data-document")) for card in self.all(".card")]

    def colour(self, selector: str) -> str:
        script = "return getComputedStyle(arguments[0]).backgroundColor"
        return self.run(script, self.one(selector))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def _changed(self, control: Any, script: str) -> None:
        before = self.run("return view.turn")
        self.run(f"{script}; arguments[0].dispatchEvent(new Event('change'))", control)
        self.until(f"return view.turn > {before} && view.shown === view.turn")
