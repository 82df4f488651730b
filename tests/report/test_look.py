"""The page fits its window and can be read, light and dark."""

import pytest

# WCAG 2: of the text of each kind on what it stands on, tokens on their own shade
CONTRASTS = """
const pixel = document.createElement("canvas").getContext("2d");
function over(...colours) {
  for (const colour of colours) {
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
  }
  return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
}
function light(rgb) {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = rgb.map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const paper = getComputedStyle(document.body).backgroundColor;
const found = {};
for (const selector of [".lead", "td small", ".k-s", ".k-a", ".k-l", ".k-r",
                        ".card .prompt", ".chip", "figcaption", "nav a"]) {
  const element = document.querySelector(selector);
  const style = getComputedStyle(element);
  const ground = light(over(paper, style.backgroundColor));
  const text = light(over(style.color));
  const [high, low] = [Math.max(ground, text), Math.min(ground, text)];
  found[selector] = (high + 0.05) / (low + 0.05);
}
return found;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1240])
def test_it_fits_and_can_be_read(opened, theme, width):
    page = opened()
    seen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", seen)
    wanted = [{"name": "prefers-color-scheme", "value": theme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    try:
        over = "document.documentElement.scrollWidth - document.body.clientWidth"
        assert page.run(f"return {over}") <= 0
        contrasts = page.run(CONTRASTS)
        assert contrasts
        assert min(contrasts.values()) >= 4.5, contrasts
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
