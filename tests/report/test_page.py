"""The page as a reader meets it: in a real browser."""

import json

EVIL = (
    "<script>window.owned = 1</script>",
    "</script><img src=x onerror='window.owned = 1'>",
    "&lt;b&gt;",
    "${owned}",
    "\n",
    "1",
)


def test_text_of_models_is_shown_as_text(opened, write):
    evil = write.Cell("uncertainty", texts=EVIL, kinds="slslsr", draft=EVIL[0])
    page = opened(evil, title="", command=f"hybridlm {EVIL[1]}")
    shown = page.one(".card .text").text
    for text in EVIL[:4]:
        assert text in shown
    assert EVIL[1] in page.one("#provenance pre").text
    assert page.run("return window.owned") is None
    assert not page.all(".card script, .card img, .card b b, pre img")
    assert page.complaints() == []


def test_text_of_files_is_shown_as_text(opened, write):
    cell = write.Cell("uncertainty", {"x": "<img src=x onerror=window.owned=1>"})
    page = opened(cell, pair={"slm": EVIL[0], "llm": EVIL[1]}, versions={"a": EVIL[1]})
    assert EVIL[0] in page.one("h1").text
    assert EVIL[0] in page.driver.title
    assert "<img" in page.one("tr[data-point] th").text
    assert page.run("return window.owned") is None
    assert page.complaints() == []


def test_nothing_is_asked_of_the_network(opened):
    page = opened()
    asked = [
        message["params"]["request"]["url"]
        for entry in page.driver.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


def test_tokens_have_the_colour_of_their_model(opened):
    page = opened()
    page.choose("cell", "speculative num_drafts=4")
    kinds = [
        t.get_attribute("class").split()[1] for t in page.all(".card .text .t")[:6]
    ]
    assert kinds == ["k-a", "k-a", "k-a", "k-l", "k-a", "gone"]
    colours = {kind: page.colour(f".card .k-{kind}") for kind in "alr"}
    assert len(set(colours.values())) == 3
    for kind, colour in colours.items():
        assert page.colour(f".legend .k-{kind}") == colour
    assert page.one(".card s.gone").text == "9"


def test_signals_are_there_on_hover(opened):
    from selenium.webdriver import ActionChains

    page = opened()
    page.choose("cell", "uncertainty threshold=0.1")
    token = page.all(".card .text .t")[2]
    ActionChains(page.driver).move_to_element(token).perform()
    assert page.one("#tip").text == '" is"\nLLM\nsignal 0.2'
    page.choose("shade", "signal")
    strengths = [
        page.run("return arguments[0].style.getPropertyValue('--g')", token)
        for token in page.all(".card .text .t")[:4]
    ]
    # between 0 and 0.5, the least and the largest of all answers
    assert strengths == ["0.000", "0.200", "0.400", "0.600"]
    assert "0 to 0.5" in page.one("#scale").text


def test_samples_by_what_became_of_them(opened):
    page = opened()
    page.choose("cell", "uncertainty threshold=0.5")
    assert page.documents() == [0, 1, 2, 3]
    page.choose("show", "correct")
    assert page.documents() == [0, 2]
    assert {chip.text for chip in page.all(".chip")} == {"correct"}
    page.choose("show", "not correct")
    assert page.documents() == [1, 3]
    assert {chip.text for chip in page.all(".chip")} == {"not correct"}
    page.choose("show", "all")
    page.choose("beside", "slm only")
    page.choose("show", "correct here only")
    assert page.documents() == [0]
    page.choose("show", "correct beside only")
    assert page.documents() == []
    assert page.one("#s-count").text == "none"


def test_what_is_neither_right_nor_wrong_is_its_number(opened, write):
    # one of the runs happens to have ones and zeros alone
    rounded = write.Cell("uncertainty", {"threshold": 0.1}, right=[1, 0, 1, 1])
    page = opened(rounded, write.Cell("entropy", right=[0.4, 1, 2.5, 0]))
    page.choose("cell", "entropy")
    page.choose("beside", "uncertainty threshold=0.1")
    assert [option.text for option in page.all("#s-show option")] == ["all"]
    chips = page.all(".chip")
    assert {chip.get_attribute("class") for chip in chips} == {"chip"}
    assert {chip.text for chip in chips} == {"0", "0.4", "1", "2.5"}


def test_ten_thousand_samples(opened, write):
    right = [i % 3 > 0 for i in range(10_000)]
    page = opened(write.Cell("uncertainty", {"threshold": 0.5}, right=right))
    assert len(page.all(".card")) == 20
    assert page.one("#s-count").text == "1\N{EN DASH}20 of 10,000"
    # of some hundred compressed pieces, those on screen
    assert page.run("return pieces.size") < 6
    page.run("$('s-next').click()")
    page.until("return document.querySelector('.card').dataset.document === '20'")
    page.find("#9876")
    assert page.documents() == [9876]
    assert "What is 9876?" in page.one(".card").text
    page.find("")
    page.choose("show", "not correct")
    assert page.one("#s-count").text == "1\N{EN DASH}20 of 3,334"
    page.find("is 9999?")
    assert page.documents() == [9999]


def test_points_rows_and_samples_are_tied(opened):
    page = opened()
    rows = {
        row.find_element("css selector", "th").text.removesuffix("front").strip(): row
        for row in page.all("tr[data-point]")
    }
    assert set(rows) == {
        "slm only",
        "llm only",
        "uncertainty threshold=0.1",
        "uncertainty threshold=0.5",
        "speculative num_drafts=4",
    }
    place = rows["speculative num_drafts=4"].get_attribute("data-point")
    point = page.one(f"#point-{place}")
    page.run(
        "arguments[0].dispatchEvent(new MouseEvent('click', OF))".replace(
            "OF", "{bubbles: true}"
        ),
        point,
    )
    page.until("return $('s-cell').selectedOptions[0].label.startsWith('spec')")
    # by value, then the other way round
    sort = page.one("[data-sort='0']")
    orders = []
    for _ in range(2):
        sort.click()
        cells = page.all("table.rows tbody td:nth-child(2)")
        orders.append([float(c.get_attribute("data-key")) for c in cells])
    assert orders[0] == sorted(orders[1], reverse=True)
    assert orders[1] == sorted(orders[1])


def test_what_the_page_holds(opened):
    page = opened()
    names = {figure.get_attribute("aria-label") for figure in page.all("figure")}
    assert names == {
        "Accuracy against cost on sums",
        "Accepted drafts",
    }
    frontier = page.one("figure.frontier svg").text
    assert "Pareto front" in frontier
    text = page.one("#provenance").text
    assert "hybridlm compare --slm small --llm large" in text
    assert "torch" in text
    assert "9.9" in text
    # intervals of value, share and both ends in words
    assert " to " in page.one("table.rows td small").text


def test_labels_of_points_do_not_lie_on_each_other(opened, write):
    options = [{"threshold": t} for t in (0.9, 0.8, 0.3)]
    right = [[True] * n + [False] * (400 - n) for n in (200, 201, 350)]
    kinds = ["l" * n + "s" * (60 - n) for n in (12, 13, 30)]
    cells = zip(options, right, kinds, strict=True)
    page = opened(*(write.Cell("uncertainty", *cell) for cell in cells))
    shown = {text.text for text in page.all("figure.frontier svg text")}
    assert {"0.8", "0.3"} <= shown
    assert "0.9" not in shown
